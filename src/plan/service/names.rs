//! What is called how. Every name can be computed from the Service's name and UID.

use sha2::{Digest, Sha256};

/// Which data: a serial that restores count up, and whose it was first. A new Service of an old name never meets old data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataName {
    serial: u32,
    uid8: String,
    service: String,
}

impl DataName {
    /// The first data of the Service of this UID.
    pub fn first(uid: &str, service: &str) -> Self {
        Self {
            serial: 1,
            uid8: uid.chars().take(8).collect(),
            service: service.to_owned(),
        }
    }

    /// Name of the claim template.
    pub fn template(&self) -> String {
        format!("d{}-{}", self.serial, self.uid8)
    }

    /// Name of the Secret with the password of the data.
    pub fn secret(&self) -> String {
        format!("{}-{}", self.template(), self.service)
    }

    /// Name of the claim of the first worker.
    pub fn claim(&self) -> String {
        format!("{}-0", self.secret())
    }
}

/// The Secret that consumers read.
pub fn credentials(service: &str) -> String {
    format!("{service}-credentials")
}

/// The headless core Service of the workers.
pub fn workers(service: &str) -> String {
    format!("{service}-workers")
}

/// Where it is reached.
pub fn host(service: &str, ns: &str) -> String {
    format!("{service}.{ns}.svc")
}

/// The Job that changes the password for this token.
pub fn rotate_job(service: &str, token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    let short: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{service}-rotate-{short}")
}
