//! Instance: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Instance, kinds::Of};

impl Watched for Instance {
    const OF: Of = Of::Instance;
}

impl Kind for Instance {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
