//! Application: how it lives.

use jiff::Timestamp;

use super::{Kept, Kind, Plan, Seen, Watched};
use crate::{api::Application, kinds::Of};

impl Watched for Application {
    const OF: Of = Of::Application;
}

impl Kind for Application {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        Plan::default()
    }
}
