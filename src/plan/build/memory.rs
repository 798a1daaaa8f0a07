//! What an object took over when it began, written down in an immutable Secret beside it: a status can be lost, and what it took from
//! says other things later.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::meta::Child;
use crate::{
    kinds::Of,
    plan::{Fill, Found, Kept, Part, Step, facts},
};

/// Writes it down, once.
pub fn remember(me: &Kept, secret: &str, key: &str, what: &impl Serialize) -> Step {
    let text = serde_json::to_string(what).unwrap_or_default();
    let child = Child::of(me, Of::Secret, secret)
        .field("type", json!("Opaque"))
        .field("immutable", json!(true));
    let fill = Fill {
        key: key.to_owned(),
        parts: vec![Part::Text(text)],
    };
    Step::Create(child.want(), vec![fill])
}

/// What was written down by this object; a Secret of somebody else says nothing.
pub fn remembered<T: DeserializeOwned>(
    me: &Kept,
    secret: &Found<facts::Secret>,
    key: &str,
) -> Option<T> {
    let own = secret.kept.owner.as_deref() == Some(&*me.uid);
    serde_json::from_str(secret.text(key).filter(|_| own)?).ok()
}
