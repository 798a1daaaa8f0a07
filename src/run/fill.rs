//! Values that only the engine can know: random ones, and what stands in a Secret at the moment an object is made.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Requests,
    trouble::{Cause, Trouble},
};
use crate::{
    kinds::Of,
    plan::{Fill, Id, Part},
};

const SYMBOLS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Values {
    data: BTreeMap<String, ByteString>,
}

/// Put the values into the `data` of a Secret's body.
pub async fn fill(
    requests: &Requests,
    id: &Id,
    body: &mut Value,
    fills: &[Fill],
) -> Result<(), Trouble> {
    let mut read = BTreeMap::new();
    for fill in fills {
        let mut value = Vec::new();
        for part in &fill.parts {
            match part {
                Part::Text(text) => value.extend_from_slice(text.as_bytes()),
                Part::Random(length) => value.extend(random(id, *length)?),
                Part::Secret { name, key } => {
                    let secret = Id::new(Of::Secret, id.ns.clone(), name.as_str());
                    if !read.contains_key(name) {
                        read.insert(name, values(requests, &secret).await?);
                    }
                    let found = read.get(name).and_then(|v| v.data.get(key));
                    let missing = || Trouble::new(&secret, "read", Cause::NoValue(key.clone()));
                    value.extend_from_slice(&found.ok_or_else(missing)?.0);
                }
            }
        }
        body["data"][&fill.key] = json!(ByteString(value));
    }
    Ok(())
}

async fn values(requests: &Requests, id: &Id) -> Result<Values, Trouble> {
    let live = requests.get(id).await?;
    let values = live.and_then(|wire| serde_json::from_str(wire.text()).ok());
    Ok(values.unwrap_or_default())
}

/// Letters and digits, each as likely as any other.
fn random(id: &Id, length: usize) -> Result<Vec<u8>, Trouble> {
    let mut value = Vec::with_capacity(length);
    let mut bytes = [0; 64];
    while value.len() < length {
        getrandom::fill(&mut bytes)
            .map_err(|e| Trouble::new(id, "fill", Cause::Unreachable(e.to_string())))?;
        // 248 is the largest multiple of 62 that a byte can hold: what lies above would favour the first letters.
        let fair = bytes.iter().filter(|b| **b < 248);
        let symbols = fair.filter_map(|b| SYMBOLS.get(usize::from(*b) % SYMBOLS.len()));
        value.extend(symbols.take(length - value.len()));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_are_letters_and_digits_of_the_asked_length_and_differ() {
        let id = Id::new(Of::Secret, "a", "b");
        let one = random(&id, 100).unwrap();
        assert_eq!(one.len(), 100);
        assert!(one.iter().all(u8::is_ascii_alphanumeric));
        assert_ne!(one, random(&id, 100).unwrap());
        assert!(random(&id, 0).unwrap().is_empty());
    }
}
