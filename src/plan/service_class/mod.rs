//! ServiceClass: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Faulty | it contradicts itself: no Service can be made of it | somebody changes it |
//! | Offered | Services can be made of it | it is changed or deleted |

mod faults;
pub mod words;

use jiff::Timestamp;
use serde_json::json;

pub use faults::{Fault, faults};

use super::{Kept, Kind, Plan, Seen, Watched, verdict::Verdict};
use crate::{
    api::{
        ServiceClass,
        service_class::{ClassPort, ServiceClassSpec},
    },
    kinds::Of,
};

impl Watched for ServiceClass {
    const OF: Of = Of::ServiceClass;
}

enum State {
    Faulty(Vec<Fault>),
    Offered,
}

fn observe(class: &ServiceClass) -> State {
    let faults = faults(&class.spec);
    if faults.is_empty() {
        State::Offered
    } else {
        State::Faulty(faults)
    }
}

impl Kind for ServiceClass {
    fn plan(&self, _me: &Kept, _seen: &Seen<'_>, _now: Timestamp) -> Plan {
        let verdict = match observe(self) {
            State::Offered => Verdict::ready("Offered", "Services can be made of this class."),
            State::Faulty(faults) => {
                let first = faults.first().map(Fault::sentence).unwrap_or_default();
                faults
                    .iter()
                    .fold(Verdict::stalled("Inconsistent", first), |verdict, fault| {
                        verdict.blocked(format!("Inconsistent/{}", fault.path), fault.sentence())
                    })
            }
        };
        Plan {
            status: json!({"conditions": verdict.conditions, "blockers": verdict.blockers}),
            ..Plan::default()
        }
    }
}

/// The port that variables and the address of a Service name: the one marked as default, or the only one.
pub fn default_port(class: &ServiceClassSpec) -> Option<&ClassPort> {
    match class.ports.as_slice() {
        [only] => Some(only),
        ports => ports.iter().find(|p| p.default == Some(true)),
    }
}
