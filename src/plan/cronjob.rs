//! Cronjob: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Cronjob, kinds::Of};

impl Watched for Cronjob {
    const OF: Of = Of::Cronjob;
}

impl Kind for Cronjob {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
