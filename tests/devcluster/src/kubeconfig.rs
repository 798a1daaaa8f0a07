//! How a program or a person reaches the cluster.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::pki::{Authority, Pair};

/// Writes the kubeconfig of a user with this certificate.
pub fn write(file: &Path, server: &str, authority: &Authority, user: &Pair) -> Result<()> {
    // JSON is YAML, and needs no library that could disagree with kubectl about quoting.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "devcluster",
        "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": "devcluster"}}],
        "clusters": [{"name": "devcluster", "cluster": {
            "server": server,
            "certificate-authority-data": base64(authority.certificate().as_bytes()),
        }}],
        "users": [{"name": "devcluster", "user": {
            "client-certificate-data": base64(user.certificate.as_bytes()),
            "client-key-data": base64(user.key.as_bytes()),
        }}],
    });
    fs::write(file, serde_json::to_vec_pretty(&config)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
        .context("cannot protect a kubeconfig")
}

/// A client of the cluster that a kubeconfig leads to.
pub async fn client(file: &Path, impersonate: Option<(&str, &[&str])>) -> Result<kube::Client> {
    let config =
        Kubeconfig::read_from(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    if let Some((user, groups)) = impersonate {
        config
            .headers
            .push(("impersonate-user".parse()?, user.parse()?));
        for group in with_everybody(groups) {
            config
                .headers
                .push(("impersonate-group".parse()?, group.parse()?));
        }
    }
    Ok(kube::Client::try_from(config)?)
}

/// Whoever logs in is in this group; for whom somebody else acts, it must be said.
fn with_everybody<'a>(groups: &[&'a str]) -> Vec<&'a str> {
    const EVERYBODY: &str = "system:authenticated";
    let mut groups = groups.to_vec();
    if !groups.contains(&EVERYBODY) {
        groups.push(EVERYBODY);
    }
    groups
}

/// Base64, as a kubeconfig wants it.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (group >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() {
                char::from(DIGITS[index as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_others_do() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
