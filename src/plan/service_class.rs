//! ServiceClass: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::ServiceClass, kinds::Of};

impl Watched for ServiceClass {
    const OF: Of = Of::ServiceClass;
}

impl Kind for ServiceClass {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
