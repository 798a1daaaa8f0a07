//! Objects as people name them: `renv/shop-live`, `environment/shop-live`, or bare where the verb implies the kind.

use kube::core::ApiResource;

use super::fail::Failure;
use crate::{
    api::{CONTAINER, ENVIRONMENT, ROLE, SERVICE},
    kinds::{Entry, KINDS, Of},
};

/// The kinds that stop and start.
pub const SWITCHABLE: &[Of] = &[Of::Environment, Of::Service, Of::Cronjob];

/// One object of a kind of ours, by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its kind.
    pub of: Of,
    /// Its name.
    pub name: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", word(self.of), self.name)
    }
}

impl Target {
    /// An object of a kind.
    pub fn new(of: Of, name: impl Into<String>) -> Self {
        Self {
            of,
            name: name.into(),
        }
    }

    /// What a person wrote, where these kinds can be meant; a bare name is of the first.
    pub fn parse(text: &str, allowed: &[Of]) -> Result<Self, Failure> {
        let of_what = || list(allowed);
        let (of, name) = match text.split_once('/') {
            Some((kind, name)) => {
                let of = kind_of(kind).ok_or_else(|| {
                    Failure::usage(
                        format!("`{kind}` is no kind of Roadstead"),
                        format!("write {}", of_what()),
                    )
                })?;
                (of, name)
            }
            None => match allowed {
                [of] => (*of, text),
                _ => {
                    return Err(Failure::usage(
                        format!("`{text}` does not say which kind it is"),
                        format!("write {}", of_what()),
                    ));
                }
            },
        };
        if !allowed.contains(&of) {
            return Err(Failure::usage(
                format!("this verb knows nothing to do with {}", with_article(of)),
                format!("write {}", of_what()),
            ));
        }
        if !is_name(name) {
            return Err(Failure::usage(
                format!("`{name}` cannot be a name"),
                "names are lowercase letters, digits and hyphens, and start with a letter",
            ));
        }
        Ok(Self::new(of, name))
    }

    /// The same where a bare name means the first of several kinds.
    pub fn parse_bare(text: &str, allowed: &[Of]) -> Result<Self, Failure> {
        match (text.contains('/'), allowed.first()) {
            (false, Some(&first)) => Self::parse(text, &[first]),
            _ => Self::parse(text, allowed),
        }
    }
}

/// The labels of the pods that serve: of a Service its workers, of an Environment those of one container or of all.
pub fn replicas(target: &Target, container: Option<&str>) -> String {
    let name = &target.name;
    match (target.of, container) {
        (Of::Service, _) => format!("{SERVICE}={name},{ROLE}=worker"),
        (_, Some(container)) => format!("{ENVIRONMENT}={name},{CONTAINER}={container}"),
        (_, None) => format!("{ENVIRONMENT}={name},{CONTAINER}"),
    }
}

/// Every kind of ours.
pub fn ours() -> impl Iterator<Item = &'static Entry> {
    KINDS.iter().filter(|entry| entry.plan.is_some())
}

/// The kind in running text, such as `environment`.
pub fn word(of: Of) -> String {
    of.entry().kind.to_ascii_lowercase()
}

/// The kind by any word that `kubectl` knows it by, and by its own.
pub fn kind_of(text: &str) -> Option<Of> {
    let text = text.to_ascii_lowercase();
    ours()
        .find(|entry| word(entry.of) == text || entry.plural == text || short(entry) == text)
        .map(|entry| entry.of)
}

/// The short word, such as `renv`, as the kind's definition carries it.
pub fn short(entry: &Entry) -> String {
    let definition = entry.definition.and_then(|make| make().ok());
    definition
        .as_ref()
        .and_then(|crd| crd.pointer("/spec/names/shortNames/0"))
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// How the kind is asked for without its type.
pub fn resource(entry: &Entry) -> ApiResource {
    ApiResource {
        group: entry.group.to_owned(),
        version: entry.version.to_owned(),
        api_version: entry.api_version(),
        kind: entry.kind.to_owned(),
        plural: entry.plural.to_owned(),
    }
}

fn list(kinds: &[Of]) -> String {
    let words: Vec<String> = kinds
        .iter()
        .map(|of| format!("{}/NAME", short(of.entry())))
        .collect();
    words.join(" or ")
}

fn with_article(of: Of) -> String {
    let word = word(of);
    let article = if word.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {word}")
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.len() <= 63
        && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fail::Exit;

    #[test]
    fn every_word_of_kubectl_names_the_kind() {
        for text in ["renv", "environment", "environments", "Environment"] {
            assert_eq!(kind_of(text), Some(Of::Environment), "{text}");
        }
        assert_eq!(kind_of("msvc"), Some(Of::Service));
        assert_eq!(kind_of("managedservices"), Some(Of::Service));
        assert_eq!(kind_of("acj"), Some(Of::Cronjob));
        assert_eq!(kind_of("pod"), None);
    }

    #[test]
    fn a_bare_name_is_of_the_kind_that_the_verb_implies() {
        let target = Target::parse("shop-live", &[Of::Environment]).unwrap();
        assert_eq!(target.to_string(), "environment/shop-live");
        let both = [Of::Cronjob, Of::Environment];
        let target = Target::parse_bare("nightly", &both).unwrap();
        assert_eq!(target.to_string(), "cronjob/nightly");
        let target = Target::parse_bare("renv/shop-live", &both).unwrap();
        assert_eq!(target.to_string(), "environment/shop-live");
    }

    #[test]
    fn a_name_without_a_kind_is_refused_with_the_words_to_use() {
        let failure = Target::parse("shop", &[Of::Environment, Of::Service]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.fix, "write renv/NAME or msvc/NAME");
    }

    #[test]
    fn what_cannot_be_a_name_never_reaches_the_server() {
        for text in ["renv/", "renv/Shop", "renv/a/b", "renv/-a", "renv/../x"] {
            let failure = Target::parse(text, &[Of::Environment]).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn a_kind_that_the_verb_cannot_serve_is_refused() {
        let failure = Target::parse("rinst/acme", &[Of::Environment]).unwrap_err();
        assert_eq!(
            failure.what,
            "this verb knows nothing to do with an instance"
        );
    }
}
