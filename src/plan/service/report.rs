//! What a Service says of itself.

use super::{
    names,
    rotation::{Turn, Word},
    setup::Setup,
    standing::{Standing, Trouble},
};
use crate::{
    api::{
        backup::ScheduledBackups,
        name::Ref,
        service::{AttachmentStatus, Endpoint, Memory, ServiceStatus},
    },
    plan::{Kept, backup::keeping::Keeping, verdict::Verdict},
};

/// What was decided, and the word for the table.
pub struct Said {
    /// One word.
    pub state: &'static str,
    /// Conditions and blockers.
    pub verdict: Verdict,
    /// The token that was acted on last.
    pub rotated: Option<String>,
    /// The Backups that are made by themselves.
    pub backups: Option<ScheduledBackups>,
}

impl Said {
    fn new(state: &'static str, verdict: Verdict) -> Self {
        Self {
            state,
            verdict,
            rotated: None,
            backups: None,
        }
    }

    /// Of a Service that goes, unless a Backup is in the way of that.
    pub fn leaving(snag: Option<(String, String)>) -> Self {
        let message = "It stops, then what its data policy says is done, then it is gone.";
        let verdict = match snag {
            None => Verdict::moving("Terminating", message),
            Some((backup, fix)) => Verdict::stalled("LastBackupFailed", fix.clone())
                .blocked(format!("LastBackupFailed/{backup}"), fix),
        };
        Self::new("terminating", verdict)
    }

    /// Of a Service that cannot be as declared.
    pub fn refused(verdict: Verdict, workers: usize) -> Self {
        let state = if workers > 0 { "degraded" } else { "failed" };
        Self::new(state, verdict)
    }

    /// Of a Service without a password yet.
    pub fn minting() -> Self {
        let message = "Its password is being made.";
        Self::new("provisioning", Verdict::moving("Provisioning", message))
    }

    /// The same, with what is said of its Backups.
    pub fn kept(mut self, keeping: &Keeping) -> Self {
        self.backups = keeping.status.clone();
        self.verdict = keeping.said(self.verdict);
        self
    }

    /// Of a Service whose first data comes from a Backup.
    pub fn coming() -> Self {
        let message = "Its data comes from the Backup.";
        Self::new("provisioning", Verdict::moving("Restoring", message))
    }

    /// Of an engine that should stand as declared.
    pub fn living(setup: &Setup, standing: &Standing, turn: &Turn) -> Self {
        let (state, verdict) = engine(setup, standing);
        Self {
            rotated: turn.rotated.clone(),
            ..Self::new(state, with_password(verdict, turn))
        }
    }
}

fn engine(setup: &Setup, standing: &Standing) -> (&'static str, Verdict) {
    let moving = |reason, message: &str| Verdict::moving(reason, message);
    match standing {
        Standing::Provisioning => (
            "provisioning",
            moving(
                "Provisioning",
                "Its volume and its first pod are being made.",
            ),
        ),
        Standing::Starting => ("starting", moving("Starting", "The engine starts.")),
        Standing::Podless(trouble) => (
            "starting",
            moving("Starting", "The engine waits for its pod.").blocked(
                format!("{}/{}", trouble.reason, trouble.about),
                trouble.fix.clone(),
            ),
        ),
        Standing::Updating => (
            "running",
            moving("Updating", "The engine serves; a change rolls out."),
        ),
        Standing::Running => ("running", Verdict::ready("Running", "The engine serves.")),
        Standing::Stopping | Standing::Stopped if setup.restoring.is_some() => {
            let restore = setup.restoring.as_deref().unwrap_or_default();
            let message = format!("Nothing runs while Restore {restore} replaces its data.");
            let stopped = matches!(standing, Standing::Stopped);
            let state = if stopped { "stopped" } else { "stopping" };
            (state, Verdict::moving("Restoring", message))
        }
        Standing::Stopping => ("stopping", moving("Stopping", "The engine ends.")),
        Standing::Stopped if setup.suspended => (
            "stopped",
            Verdict::ready(
                "Suspended",
                "Nothing runs and the data is kept: its Instance is suspended.",
            ),
        ),
        Standing::Stopped => (
            "stopped",
            Verdict::ready("Stopped", "Nothing runs and the data is kept."),
        ),
        Standing::Degraded(trouble) => ("degraded", troubled(trouble)),
        Standing::Failed(trouble) => ("failed", troubled(trouble)),
    }
}

fn troubled(trouble: &Trouble) -> Verdict {
    Verdict::stalled(trouble.reason, trouble.fix.clone()).blocked(
        format!("{}/{}", trouble.reason, trouble.about),
        trouble.fix.clone(),
    )
}

/// The password has its own condition; while it changes, or cannot, the Service is not as declared.
fn with_password(verdict: Verdict, turn: &Turn) -> Verdict {
    const TYPE: &str = "PasswordRotated";
    match &turn.word {
        Word::Never => verdict,
        Word::Done => verdict.with(
            TYPE,
            "True",
            "Rotated",
            "The password is as asked for last.",
        ),
        Word::Waiting => {
            let message = "The password changes once the engine serves.";
            verdict.with(TYPE, "Unknown", "Waiting", message)
        }
        Word::Moving(message) => {
            let base = if verdict.is_ready() {
                Verdict {
                    blockers: verdict.blockers,
                    ..Verdict::moving("Rotating", *message)
                }
            } else {
                verdict
            };
            base.with(TYPE, "Unknown", "Rotating", *message)
        }
        Word::Stuck(reason, fix) => {
            let base = if verdict.is_ready() {
                Verdict::stalled(reason, fix.clone())
            } else {
                verdict
            };
            base.with(TYPE, "False", reason, fix.clone())
                .blocked(*reason, fix.clone())
        }
    }
}

/// The status, whole.
pub fn status(
    me: &Kept,
    said: Said,
    setup: Option<&Setup>,
    attachments: Vec<AttachmentStatus>,
    workers: usize,
) -> ServiceStatus {
    let credentials = setup.map(|_| Ref {
        name: names::credentials(&me.id.name),
    });
    let workers = i32::try_from(workers).unwrap_or(i32::MAX);
    ServiceStatus {
        state: Some(said.state.to_owned()),
        endpoints: setup.map(|s| endpoints(me, s)).unwrap_or_default(),
        binding: credentials.clone(),
        credentials_secret_ref: credentials,
        memory: Some(Memory {
            total_gb: setup.map_or(0, |s| s.size.gb.saturating_mul(workers)),
            workers,
        }),
        region: setup.and_then(|s| s.region.clone()),
        rotated: said.rotated,
        backups: said.backups,
        data: setup.map(|s| s.data.template()),
        attachments,
        conditions: said.verdict.conditions,
        blockers: said.verdict.blockers,
        observed_generation: None,
    }
}

fn endpoints(me: &Kept, setup: &Setup) -> Vec<Endpoint> {
    let mut ports: Vec<_> = setup.class.spec.ports.iter().collect();
    ports.sort_by_key(|p| p.name != setup.port.name);
    ports
        .into_iter()
        .map(|p| Endpoint {
            protocol: p.protocol.clone(),
            host: names::host(&me.id.name, &me.id.ns),
            port: p.port,
        })
        .collect()
}
