//! Why nothing of an Application is to run, or to be released: for the plans of what runs it.

use crate::api::Application;

/// Why nothing of an Application is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// The condition that says so.
    pub condition: &'static str,
    /// One word for it.
    pub reason: &'static str,
    /// What became of the Application, as the end of a sentence.
    pub what: String,
    /// How to end it.
    pub fix: String,
}

/// Why nothing of it is to run, if so.
pub fn standstill(application: &Application) -> Option<Standstill> {
    let spec = &application.spec;
    if spec.archive.is_some() {
        return Some(Standstill {
            condition: "Archived",
            reason: "ApplicationArchived",
            what: "is archived.".to_owned(),
            fix: "To keep it, remove spec.archive of the Application before it is deleted."
                .to_owned(),
        });
    }
    spec.suspended.as_ref().map(|suspended| Standstill {
        condition: "Suspended",
        reason: "ApplicationSuspended",
        what: format!("is suspended: {}", suspended.reason),
        fix: "Ask the platform team to remove spec.suspended of the Application.".to_owned(),
    })
}

/// Why nothing of it is to be released, if so: how to end that.
pub fn lock(application: &Application) -> Option<String> {
    let lock = application.spec.locked.as_ref()?;
    Some(format!(
        "The Application is locked: {}. A release waits until the platform team has removed spec.locked.",
        lock.reason.trim_end_matches('.')
    ))
}
