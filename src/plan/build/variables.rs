//! Variables of an Environment: who says what, and what `$(OTHER)` in them stands for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::plan::{Fill, Part};

/// Who says a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Roadstead itself.
    Roadstead,
    /// The Application.
    Application,
    /// The Environment.
    Environment,
    /// An attached Service.
    Service,
}

/// A variable as it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name.
    pub name: String,
    /// Who says it.
    pub origin: Origin,
    /// Whether its value is kept out of every table.
    pub sensitive: bool,
    /// What it is to be.
    pub content: Content,
}

/// What a variable is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This text, byte for byte.
    Text(String),
    /// This text, with `$(OTHER)` replaced.
    Pattern(String),
    /// One key of a Secret.
    Secret {
        /// Name of the Secret.
        name: String,
        /// Key in its data.
        key: String,
    },
    /// What this Service gives today.
    Service(String),
}

/// A variable as a pod gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Who says it.
    pub origin: Origin,
    /// Whether its value, or one that it is put together from, is kept out of every table.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// Where a pod takes it from.
    pub from: From,
}

/// Where a pod takes a variable from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum From {
    /// This key of the snapshot Secret.
    Snapshot(String),
    /// The Secret of this attached Service, under the variable's name.
    Service(String),
    /// Put together by the kubelet: it holds something that a Service gives, which no snapshot may hold.
    Live(Vec<Piece>),
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Piece {
    /// As it stands here.
    Text(String),
    /// The value of the variable of this name.
    Variable(String),
}

/// All variables, put together.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// As pods get them: what needs another stands after it.
    pub entries: Vec<Entry>,
    /// What the snapshot Secret is filled with.
    pub fills: Vec<Fill>,
    /// Placeholders that name no variable, left as they are, each with the variable that it stands in.
    pub unresolved: BTreeSet<(String, String)>,
    /// Variables that need themselves, left as they are.
    pub cycles: BTreeSet<String>,
}

/// One variable for each name: of two, the one that a person says, and the Environment's over the Application's.
pub fn effective(said: Vec<Said>) -> Vec<Said> {
    let rank = |origin: Origin| match origin {
        Origin::Roadstead => 0,
        Origin::Service => 1,
        Origin::Application => 2,
        Origin::Environment => 3,
    };
    let mut best: BTreeMap<&str, (u8, usize)> = BTreeMap::new();
    for (index, one) in said.iter().enumerate() {
        let mine = (rank(one.origin), index);
        let kept = best.entry(&one.name).or_insert(mine);
        if mine.0 > kept.0 {
            *kept = mine;
        }
    }
    let keep: BTreeSet<usize> = best.into_values().map(|(_, index)| index).collect();
    let numbered = said.into_iter().enumerate();
    numbered
        .filter_map(|(index, one)| keep.contains(&index).then_some(one))
        .collect()
}

/// Puts all variables together. Whatever names nothing, or itself, stays as it was written.
pub fn resolve(said: &[Said]) -> Resolved {
    let mut work = Work {
        by_name: said.iter().map(|one| (one.name.as_str(), one)).collect(),
        done: BTreeMap::new(),
        under_way: Vec::new(),
        live: Vec::new(),
        sensitive: BTreeSet::new(),
        out: Resolved::default(),
    };
    for one in said {
        work.value(&one.name);
    }
    let Work {
        done,
        live,
        sensitive,
        mut out,
        ..
    } = work;
    let entry = |said: &Said, from| Entry {
        name: said.name.clone(),
        origin: said.origin,
        sensitive: sensitive.contains(&said.name),
        from,
    };
    for (index, one) in said.iter().enumerate() {
        let from = match done.get(&one.name) {
            Some(Value::Parts(parts)) => {
                let key = key_of(&one.name, index);
                out.fills.push(Fill {
                    key: key.clone(),
                    parts: parts.clone(),
                });
                From::Snapshot(key)
            }
            Some(Value::Service(service)) => From::Service(service.clone()),
            Some(Value::Live(_)) | None => continue,
        };
        out.entries.push(entry(one, from));
    }
    for name in live {
        let found = said.iter().find(|one| one.name == name);
        if let (Some(one), Some(Value::Live(pieces))) = (found, done.get(&name)) {
            out.entries.push(entry(one, From::Live(pieces.clone())));
        }
    }
    out
}

/// The key of the snapshot's own description, beside the variables.
pub const CONFIGURATION: &str = "configuration";

/// The key of a variable in a snapshot: its name, or its place where a Secret takes no such key.
fn key_of(name: &str, index: usize) -> String {
    if name == CONFIGURATION || name.len() > 253 {
        format!("variable.{index}")
    } else {
        name.to_owned()
    }
}

#[derive(Clone)]
enum Value {
    Parts(Vec<Part>),
    Service(String),
    Live(Vec<Piece>),
}

struct Work<'a> {
    by_name: BTreeMap<&'a str, &'a Said>,
    done: BTreeMap<String, Value>,
    under_way: Vec<String>,
    live: Vec<String>,
    sensitive: BTreeSet<String>,
    out: Resolved,
}

impl Work<'_> {
    fn value(&mut self, name: &str) -> Option<Value> {
        if let Some(done) = self.done.get(name) {
            return Some(done.clone());
        }
        let said = *self.by_name.get(name)?;
        let value = match &said.content {
            Content::Text(text) => Value::Parts(vec![Part::Text(text.clone())]),
            Content::Secret { name, key } => Value::Parts(vec![Part::Secret {
                name: name.clone(),
                key: key.clone(),
            }]),
            Content::Service(service) => Value::Service(service.clone()),
            Content::Pattern(text) => self.pattern(name, text),
        };
        if said.sensitive {
            self.sensitive.insert(name.to_owned());
        }
        if matches!(value, Value::Live(_)) {
            self.live.push(name.to_owned());
        }
        self.done.insert(name.to_owned(), value.clone());
        Some(value)
    }

    fn pattern(&mut self, name: &str, text: &str) -> Value {
        self.under_way.push(name.to_owned());
        let mut found = Vec::new();
        for piece in pieces(text) {
            let Piece::Variable(other) = piece else {
                found.push((piece, None));
                continue;
            };
            if let Some(start) = self.under_way.iter().position(|n| *n == other) {
                self.out
                    .cycles
                    .extend(self.under_way[start..].iter().cloned());
                found.push((Piece::Text(format!("$({other})")), None));
                continue;
            }
            match self.value(&other) {
                Some(value) => {
                    if self.sensitive.contains(&other) {
                        self.sensitive.insert(name.to_owned());
                    }
                    found.push((Piece::Variable(other), Some(value)));
                }
                None => {
                    let place = (other.clone(), name.to_owned());
                    self.out.unresolved.insert(place);
                    found.push((Piece::Text(format!("$({other})")), None));
                }
            }
        }
        self.under_way.pop();
        join(found)
    }
}

/// Puts a value together, by us where every part may stand in a snapshot, otherwise by the kubelet.
fn join(found: Vec<(Piece, Option<Value>)>) -> Value {
    let lives = |value: &Option<Value>| matches!(value, Some(Value::Service(_) | Value::Live(_)));
    if found.iter().any(|(_, value)| lives(value)) {
        return Value::Live(found.into_iter().map(|(piece, _)| piece).collect());
    }
    let mut parts: Vec<Part> = Vec::new();
    for (piece, value) in found {
        let more = match (piece, value) {
            (_, Some(Value::Parts(parts))) => parts,
            (Piece::Text(text), _) => vec![Part::Text(text)],
            (Piece::Variable(_), _) => Vec::new(),
        };
        for part in more {
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
    }
    if parts.is_empty() {
        parts.push(Part::Text(String::new()));
    }
    Value::Parts(parts)
}

/// A pattern taken apart: `$(NAME)` is a variable, `$$(` is `$(`, everything else is text.
fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, here) = rest.split_at(at);
        plain.push_str(before);
        if let Some(after) = here.strip_prefix("$$(") {
            plain.push_str("$(");
            rest = after;
        } else if let Some((name, after)) = placeholder(here) {
            if !plain.is_empty() {
                out.push(Piece::Text(std::mem::take(&mut plain)));
            }
            out.push(Piece::Variable(name.to_owned()));
            rest = after;
        } else {
            plain.push('$');
            rest = &here[1..];
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix("$(")?.split_once(')')?;
    let first = name.chars().next()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!first.is_ascii_digit() && name.chars().all(fits)).then_some((name, after))
}

/// What the kubelet puts together to exactly these pieces.
pub fn for_kubelet(pieces: &[Piece]) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('$', "$$"),
        Piece::Variable(name) => format!("$({name})"),
    };
    pieces.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
