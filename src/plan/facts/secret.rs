//! What is kept of a Secret: never more than is needed, and never shown.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::ByteString;
use serde::Deserialize;

use super::RawMeta;

/// A Secret: values of ours, of others only the names of the keys.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "RawSecret")]
pub struct Secret {
    /// Its type, such as `Opaque`.
    pub type_: String,
    /// Its keys; values are kept of ours only.
    pub data: BTreeMap<String, Value>,
    /// The start of the UID that the data is named after whose account it holds.
    pub data_of: Option<String>,
    /// The Environment whose Release it is the snapshot of.
    pub snapshot_of: Option<String>,
}

#[derive(Deserialize)]
struct RawSecret {
    #[serde(rename = "type", default)]
    type_: String,
    #[serde(default)]
    data: Option<BTreeMap<String, Option<ByteString>>>,
    #[serde(default)]
    metadata: RawMeta,
}

impl From<RawSecret> for Secret {
    fn from(raw: RawSecret) -> Self {
        let ours = raw.metadata.labels.contains_key(crate::api::OWNER);
        let keep = |value: Option<ByteString>| Value(value.filter(|_| ours).map(|b| b.0));
        let data = raw.data.unwrap_or_default();
        let mut labels = raw.metadata.labels;
        let is_snapshot = ours && labels.contains_key(crate::api::RELEASE);
        let environment = labels.remove(crate::api::ENVIRONMENT);
        Self {
            data_of: labels.remove(crate::api::DATA).filter(|_| ours),
            snapshot_of: environment.filter(|_| is_snapshot),
            type_: raw.type_,
            data: data.into_iter().map(|(k, v)| (k, keep(v))).collect(),
        }
    }
}

/// A value of a Secret, which never shows itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Value(pub Option<Vec<u8>>);

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.data.keys()).finish()
    }
}

impl Secret {
    /// By the Environment, if it is the snapshot of a Release; by the data, if it holds the account of some.
    pub fn keys(&self) -> Vec<String> {
        let environment = self.snapshot_of.iter();
        let data = self.data_of.iter();
        environment
            .map(|name| format!("snapshot/{name}"))
            .chain(data.map(|uid8| format!("data/{uid8}")))
            .collect()
    }

    /// The value of a key as text; nothing where it is somebody else's or no text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data
            .get(key)?
            .0
            .as_deref()
            .and_then(|v| std::str::from_utf8(v).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_value_is_ever_shown() {
        let value = Value(Some(b"s3cret".to_vec()));
        assert_eq!(format!("{value:?}"), "…");
        let secret = Secret {
            data: BTreeMap::from([("password".to_owned(), value)]),
            ..Secret::default()
        };
        assert_eq!(format!("{secret:?}"), "{\"password\"}");
    }
}
