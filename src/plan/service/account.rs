//! The user, the password and the database: a Secret that stays with the data, and an owned copy for consumers.

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use super::{names, setup::Setup};
use crate::{
    kinds::Of,
    plan::{
        Edit, Fill, Found, Kept, Part, Seen, Step, Want, build::meta::Child, facts,
        service_class::words::Words, verdict::Verdict,
    },
};

/// Annotation on the Secret of the data: the request token that was acted on last.
pub const ROTATED: &str = "rotated";
/// Annotation on the Secret of the data: the request token that is being acted on.
pub const ROTATING: &str = "rotating";

/// How long a password is.
const LENGTH: usize = 32;

/// Who may log in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The Secret that stays with the data.
    pub secret: Found<facts::Secret>,
}

/// Where the account stands.
#[derive(Debug)]
pub enum Access {
    /// It is there.
    Granted(Account),
    /// It is to be made.
    ToMint(Box<Step>),
    /// A deleted Service left it, with its data: they are to be taken over.
    ToAdopt(Box<Step>),
    /// There is data, but nobody knows its password; or there should be data, and there is none.
    Lost(Verdict),
}

impl Access {
    /// Where the account stands.
    pub fn of(me: &Kept, seen: &Seen<'_>, setup: &Setup, token: Option<&str>) -> Self {
        let name = setup.data.secret();
        let claim = seen.get::<facts::PersistentVolumeClaim>(&setup.data.claim());
        let has_data = claim.is_some() && setup.class.spec.data.is_some();
        match seen.get::<facts::Secret>(&name) {
            Some(secret) if secret.kept.owner.is_none() => Self::Lost(taken(&name)),
            Some(secret) if secret.text("password").is_none() => {
                Self::Lost(without_password(&name))
            }
            Some(secret) if is_for(&secret.kept, me) => Self::Granted(Account { secret }),
            Some(secret) if setup.retained => Self::ToAdopt(Box::new(adopt(&secret, me, token))),
            Some(_) => Self::Lost(taken(&name)),
            None if setup.retained => Self::Lost(nothing_retained(setup, &me.id.name)),
            None if has_data => from_copy(me, seen, setup, token),
            None => Self::ToMint(Box::new(mint(me, setup, token))),
        }
    }
}

/// Whether it was made for me, or I took it over from a deleted Service: nobody changes the label of its first owner.
pub fn is_for(kept: &Kept, me: &Kept) -> bool {
    kept.owner.as_deref() == Some(&*me.uid) || kept.annotation("adopted") == Some(&*me.uid)
}

/// A new account: the class names the user and the database, and the password is drawn.
fn mint(me: &Kept, setup: &Setup, token: Option<&str>) -> Step {
    let class = &setup.class.spec;
    let text = |value: &Option<String>| Part::Text(value.as_deref().unwrap_or("app").to_owned());
    let (username, database) = (text(&class.username), text(&class.database));
    make(me, setup, token, [username, database, Part::Random(LENGTH)])
}

fn make(me: &Kept, setup: &Setup, token: Option<&str>, parts: [Part; 3]) -> Step {
    let mut child = Child::of(me, Of::Secret, setup.data.secret())
        .label(crate::api::DATA, setup.data.uid8())
        .that_stays();
    if let Some(token) = token {
        child = child.annotation("roadstead.dev/rotated", token);
    }
    let keys = ["username", "database", "password"];
    let fills = keys.into_iter().zip(parts).map(|(key, part)| Fill {
        key: key.to_owned(),
        parts: vec![part],
    });
    let want = child.field("type", json!("Opaque")).want();
    Step::Create(want, fills.collect())
}

/// The Secret of the data is gone, the data is not: the copy for consumers still knows the password.
fn from_copy(me: &Kept, seen: &Seen<'_>, setup: &Setup, token: Option<&str>) -> Access {
    let name = names::credentials(&me.id.name);
    let copy = seen
        .get::<facts::Secret>(&name)
        .filter(|copy| is_for(&copy.kept, me) && copy.text("password").is_some());
    if copy.is_none() {
        return Access::Lost(without_password(&setup.data.secret()));
    }
    let parts = ["username", "database", "password"].map(|key| Part::Secret {
        name: name.clone(),
        key: key.to_owned(),
    });
    Access::ToMint(Box::new(make(me, setup, token, parts)))
}

/// Taking over is being seen for the first time: the token is adopted without acting.
fn adopt(secret: &Found<facts::Secret>, me: &Kept, token: Option<&str>) -> Step {
    let kept = &secret.kept;
    let annotations = json!({"roadstead.dev/adopted": &*me.uid, "roadstead.dev/rotated": token});
    Step::edit(kept, json!({"metadata": {"annotations": annotations}}))
}

fn taken(secret: &str) -> Verdict {
    let message = format!(
        "The Secret {secret} is there and was made for something else: delete it or rename it."
    );
    Verdict::stalled("NameTaken", message.clone()).blocked(format!("NameTaken/{secret}"), message)
}

fn without_password(secret: &str) -> Verdict {
    let message = format!(
        "There is data, but the Secret {secret} with its password is gone: put it back, with the keys username, password and database."
    );
    Verdict::stalled("CredentialsLost", message.clone())
        .blocked(format!("CredentialsLost/{secret}"), message)
}

fn nothing_retained(setup: &Setup, service: &str) -> Verdict {
    let secret = setup.data.secret();
    let message = format!(
        "No Secret {secret} is there: a Service that starts with retained data has the name of the deleted one, here {service}, and its UID in restoreFrom.retained.uid."
    );
    Verdict::stalled("RetainedMissing", message.clone())
        .blocked(format!("RetainedMissing/{secret}"), message)
}

impl Account {
    /// A value of the account.
    pub fn text(&self, key: &str) -> &str {
        self.secret.text(key).unwrap_or_default()
    }

    /// The password that is about to hold.
    pub fn next(&self) -> Option<&str> {
        self.secret.text("nextPassword")
    }

    /// What the words of the class stand for.
    pub fn words(&self, me: &Kept, setup: &Setup) -> Words {
        Words {
            username: self.text("username").to_owned(),
            host: names::host(&me.id.name, &me.id.ns),
            port: setup.port.port,
            database: self.text("database").to_owned(),
        }
    }

    /// The text without any password in it: for last words of a container.
    pub fn redact(&self, text: &str) -> String {
        [Some(self.text("password")), self.next()]
            .into_iter()
            .flatten()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }

    /// A change of the Secret that stays with the data.
    pub fn edit(&self, patch: Value, fills: Vec<Fill>) -> Step {
        let kept = &self.secret.kept;
        Step::Edit(Edit::of(kept, patch), fills)
    }

    /// The fill of a password that is about to hold.
    pub fn draw() -> Fill {
        Fill {
            key: "nextPassword".to_owned(),
            parts: vec![Part::Random(LENGTH)],
        }
    }

    /// The copy for consumers, with the keys that servicebinding.io names.
    pub fn copy(&self, me: &Kept, setup: &Setup) -> Want {
        let words = self.words(me, setup);
        let password = self.text("password");
        let uri = format!(
            "{}://{}:{password}@{}:{}/{}",
            setup.port.protocol, words.username, words.host, words.port, words.database
        );
        let port = words.port.to_string();
        let pairs = [
            ("username", words.username.as_str()),
            ("password", password),
            ("host", &words.host),
            ("port", &port),
            ("database", &words.database),
            ("uri", &uri),
            ("type", &setup.port.protocol),
            ("provider", "roadstead"),
        ];
        let data: Map<String, Value> = pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), encoded(value)))
            .collect();
        Child::of(me, Of::Secret, names::credentials(&me.id.name))
            .field("type", json!("Opaque"))
            .field("data", Value::Object(data))
            .want()
    }
}

/// The value as the `data` of a Secret carries it.
pub fn encoded(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}
