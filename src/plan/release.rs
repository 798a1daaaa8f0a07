//! Release: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Release, kinds::Of};

impl Watched for Release {
    const OF: Of = Of::Release;
}

impl Kind for Release {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
