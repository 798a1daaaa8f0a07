//! The certificates of a cluster: one authority, made anew with each cluster, and what it signs.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The authority of a cluster. Its key stays in the cluster's folder.
pub struct Authority {
    folder: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// Makes an authority and writes it into this folder.
    pub fn make(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let params = Self::params();
        let certificate = params.self_signed(&key)?.pem();
        write(&folder.join("ca.crt"), &certificate)?;
        write(&folder.join("ca.key"), &key.serialize_pem())?;
        Ok(Self {
            folder: folder.to_owned(),
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The certificate of the authority, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The file of a certificate, or of the authority's own.
    pub fn crt(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.crt"))
    }

    /// The file of a key.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// The authority that was written into this folder before.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |file: &str| {
            fs::read_to_string(folder.join(file))
                .with_context(|| format!("cannot read {file} of the cluster"))
        };
        let certificate = read("ca.crt")?;
        let issuer = Issuer::new(Self::params(), KeyPair::from_pem(&read("ca.key")?)?);
        Ok(Self {
            folder: folder.to_owned(),
            certificate,
            issuer,
        })
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "devcluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
    }

    /// A certificate by which a user with this name, of at most two groups, is known.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<Pair> {
        // The library keeps one value a type, so the second group goes under the same type by its number.
        let kinds = [
            DnType::OrganizationName,
            DnType::CustomDnType(vec![2, 5, 4, 10]),
        ];
        if groups.len() > kinds.len() {
            bail!(
                "a certificate holds at most {} groups here: act as the user instead",
                kinds.len()
            );
        }
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        for (kind, group) in kinds.into_iter().zip(groups) {
            params.distinguished_name.push(kind, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A certificate for a server that is reached under these names and addresses, written into the folder.
    pub fn server(&self, name: &str, reached: &[String]) -> Result<()> {
        let mut params = CertificateParams::new(reached.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let pair = self.sign(params)?;
        self.write(name, &pair)
    }

    /// Writes a pair into the folder.
    pub fn write(&self, name: &str, pair: &Pair) -> Result<()> {
        write(&self.crt(name), &pair.certificate)?;
        write(&self.key(name), &pair.key)
    }

    /// Makes the pair of keys by which service account tokens are signed and checked, as `service-accounts.key` and `.pub`.
    pub fn token_keys(&self) -> Result<()> {
        let key = KeyPair::generate()?;
        write(&self.key("service-accounts"), &key.serialize_pem())?;
        write(
            &self.folder.join("service-accounts.pub"),
            &key.public_key_pem(),
        )
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair> {
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).context("cannot protect a key")
}
