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

    /// The data of the same Service with this serial.
    pub fn with_serial(&self, serial: u32) -> Self {
        Self {
            serial,
            ..self.clone()
        }
    }

    /// The data of the same Service whose Secret has this name.
    pub fn sibling(&self, secret: &str) -> Option<Self> {
        let serial = secret.strip_prefix('d')?.split('-').next()?.parse().ok()?;
        let name = self.with_serial(serial);
        (name.secret() == secret).then_some(name)
    }

    /// The data of the same Service whose claims have this template.
    pub fn of_template(&self, template: &str) -> Option<Self> {
        self.sibling(&format!("{template}-{}", self.service))
    }

    /// The data of the same Service whose claim has this name.
    pub fn of_claim(&self, claim: &str) -> Option<Self> {
        self.sibling(claim.strip_suffix("-0")?)
    }

    /// Which restore it came with; the first is 1.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The start of the UID that it is named after.
    pub fn uid8(&self) -> &str {
        &self.uid8
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
