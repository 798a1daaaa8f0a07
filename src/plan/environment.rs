//! Environment: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Environment, kinds::Of};

impl Watched for Environment {
    const OF: Of = Of::Environment;
}

impl Kind for Environment {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
