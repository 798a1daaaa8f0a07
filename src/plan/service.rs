//! Service: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Service, kinds::Of};

impl Watched for Service {
    const OF: Of = Of::Service;
}

impl Kind for Service {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
