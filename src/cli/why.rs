//! `why`: in one sentence, what an object waits for, and what to do. References are followed to the last cause.

use std::collections::BTreeSet;

use clap_complete::ArgValueCompleter;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use super::{
    complete,
    fail::Failure,
    scope::{Cluster, Scope},
    show::print,
    standing::{Standing, blockers, oddities, state},
    target::{Target, kind_of, ours, word},
    track,
};
use crate::{
    api::{
        Release,
        status::{Blocker, Condition},
    },
    kinds::Of,
};

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An object such as renv/shop-live, msvc/shop-db or rel/shop-live-8
    #[arg(value_name = "KIND/NAME", add = ArgValueCompleter::new(complete::objects))]
    pub object: String,
}

/// What stands under the help.
pub const HELP: &str = "\
With kubectl alone, object by object:
  kubectl get renv shop-live -o jsonpath='{range .status.blockers[*]}{.what}: {.fix}{\"\\n\"}{end}'
  kubectl get renv shop-live -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'";

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer {
    object: String,
    ready: bool,
    causes: Vec<Cause>,
    /// What is odd about it, but is waited for by nobody.
    oddities: Vec<String>,
}

/// One thing that is waited for, at the end of a chain of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Cause {
    /// From the object that was asked about to the one that is the cause.
    chain: Vec<String>,
    /// One stable word, with the object concerned.
    reason: String,
    /// Why, in a sentence; may be empty.
    message: String,
    /// What to do.
    fix: String,
    /// Until when it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// Explains it.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let kinds: Vec<Of> = ours().map(|entry| entry.of).collect();
    let target = Target::parse(&args.object, &kinds)?;
    let cluster = scope.connect().await?;
    let object = cluster.read(&target).await?;
    let mut walk = Walk {
        cluster: &cluster,
        visited: BTreeSet::new(),
        causes: Vec::new(),
    };
    let standing = Standing::of(&object);
    walk.follow(&target, &object, Vec::new()).await?;
    let causes = walk.causes;
    let odd = oddities(&object).into_iter().map(|c| c.message);
    let oddities: Vec<String> = odd.collect();
    if !scope.output.is_for_people() {
        let answer = Answer {
            object: target.to_string(),
            ready: standing.is_ready(),
            causes,
            oddities,
        };
        return print(&scope.output.render(&answer)?);
    }
    let mut sentences: Vec<String> = causes.iter().map(sentence).collect();
    if causes.is_empty() {
        sentences.push(well(&target, &object, &standing));
    }
    let odd = oddities.iter().map(|what| format!("{target}: {what}\n"));
    sentences.extend(odd);
    print(&sentences.join("\n"))
}

/// The way from an object to what it waits for.
struct Walk<'a> {
    cluster: &'a Cluster,
    visited: BTreeSet<String>,
    causes: Vec<Cause>,
}

impl Walk<'_> {
    /// Finds the causes behind one object.
    async fn follow(
        &mut self,
        target: &Target,
        object: &DynamicObject,
        mut chain: Vec<String>,
    ) -> Result<(), Failure> {
        if !self.visited.insert(target.to_string()) {
            return Ok(());
        }
        let Some(waits) = own_waits(target, &chain, blockers(object)) else {
            return Ok(());
        };
        chain.push(target.to_string());
        let standing = Standing::of(object);
        if waits.is_empty() && standing.is_ready() {
            return Ok(());
        }
        let references = self.references(target, object).await?;
        if waits.is_empty() {
            let known = self.causes.len();
            for next in &references {
                self.step(next, &chain).await?;
            }
            if self.causes.len() == known {
                self.causes.push(own(&standing, object, chain));
            }
            return Ok(());
        }
        for blocker in waits {
            let known = self.causes.len();
            match concerned(&blocker, &references) {
                Some(next) if references.contains(&next) => self.step(&next, &chain).await?,
                far => self.pass_on(&blocker, far, &references, &chain).await?,
            }
            if self.causes.len() == known {
                let cause = blocked(blocker, standing.condition(), chain.clone());
                self.causes.push(cause);
            }
        }
        Ok(())
    }

    /// A blocker about something that the object does not refer to itself: one that it refers to has the same, and is the way to it.
    async fn pass_on(
        &mut self,
        blocker: &Blocker,
        far: Option<Target>,
        references: &[Target],
        chain: &[String],
    ) -> Result<(), Failure> {
        for next in references {
            let found = self.cluster.find(next).await.ok().flatten();
            let theirs = found.iter().flat_map(blockers);
            if theirs.into_iter().any(|theirs| theirs.what == blocker.what) {
                return self.step(next, chain).await;
            }
        }
        match far {
            Some(far) => self.step(&far, chain).await,
            None => Ok(()),
        }
    }

    /// One reference further, where there is something and it is not as declared.
    async fn step(&mut self, next: &Target, chain: &[String]) -> Result<(), Failure> {
        // Who may not read it still learns what the object itself says.
        let found = self.cluster.find(next).await.ok().flatten();
        match found {
            Some(object) => Box::pin(self.follow(next, &object, chain.to_vec())).await,
            None => Ok(()),
        }
    }

    /// What an object refers to, and the release that it is at.
    async fn references(
        &self,
        target: &Target,
        object: &DynamicObject,
    ) -> Result<Vec<Target>, Failure> {
        let mut references = references(&object.data);
        let running = object.data.pointer("/status/runningRelease");
        let number = running.and_then(Value::as_i64);
        if let (Of::Environment, Some(number)) = (target.of, number) {
            let releases: Vec<Release> = track::of_environment(self.cluster, &target.name).await?;
            let is_it = |r: &&Release| r.status.as_ref().and_then(|s| s.number) == Some(number);
            let name = releases
                .iter()
                .find(is_it)
                .and_then(|r| r.metadata.name.clone());
            references.extend(name.map(|name| Target::new(Of::Release, name)));
        }
        Ok(references)
    }
}

/// What an object waits for itself, for the one from which it was come to. An Application tells of all its Environments, which is not
/// what one of them waits for.
fn own_waits(target: &Target, chain: &[String], mut waits: Vec<Blocker>) -> Option<Vec<Blocker>> {
    let environment = Of::Environment.entry().kind.to_lowercase();
    let from_below = chain
        .last()
        .is_some_and(|last| last.starts_with(&environment));
    if target.of != Of::Application || !from_below {
        return Some(waits);
    }
    waits.retain(|blocker| !blocker.what.starts_with("EnvironmentStalled/"));
    (!waits.is_empty()).then_some(waits)
}

/// Everything that a spec refers to: fields that end in `Ref`, and services by name.
fn references(data: &Value) -> Vec<Target> {
    let mut found = Vec::new();
    if let Some(spec) = data.get("spec") {
        collect(spec, &mut found);
        let services = spec.get("services").and_then(Value::as_array);
        for service in services.into_iter().flatten() {
            let name = service
                .get("name")
                .or(Some(service))
                .and_then(Value::as_str);
            found.extend(name.map(|name| Target::new(Of::Service, name)));
        }
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Target>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let of = key.strip_suffix("Ref").and_then(referred);
                let name = value.get("name").and_then(Value::as_str);
                match (of, name) {
                    (Some(of), Some(name)) => found.push(Target::new(of, name)),
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn referred(word: &str) -> Option<Of> {
    match word {
        "class" => Some(Of::ServiceClass),
        "template" => Some(Of::ApplicationTemplate),
        word => kind_of(word),
    }
}

/// Which object a blocker is about: of the references with the name after the slash the one whose kind its word begins with,
/// and otherwise the object of that kind and name.
fn concerned(blocker: &Blocker, references: &[Target]) -> Option<Target> {
    let (_, name) = blocker.what.split_once('/')?;
    let mut named: Vec<&Target> = references.iter().filter(|t| t.name == name).collect();
    named.sort_by_key(|t| !begins_with(&blocker.what, t.of));
    if let Some(first) = named.first() {
        return Some((*first).clone());
    }
    let of = referred(&first_word(&blocker.what))?;
    Some(Target::new(of, name))
}

/// Whether a reason begins with a kind. `ClassNotFound` is about a ServiceClass, `TemplateMissing` about an ApplicationTemplate,
/// `ServiceNotReady` about a Service.
fn begins_with(reason: &str, of: Of) -> bool {
    let first = first_word(reason);
    let reason = reason.to_ascii_lowercase();
    match of {
        Of::ServiceClass => reason.starts_with("serviceclass") || first == "class",
        Of::ApplicationTemplate => first == "template",
        Of::Service => first == "service" && !reason.starts_with("serviceclass"),
        of => first == word(of),
    }
}

/// The first word of a CamelCase reason, in small letters.
fn first_word(reason: &str) -> String {
    let rest = reason.get(1..).unwrap_or_default();
    let end = rest.find(|c: char| c.is_ascii_uppercase() || c == '/');
    let first = &reason[..end.map_or(reason.len(), |end| end + 1)];
    first.to_ascii_lowercase()
}

/// The cause that an object gives by itself.
fn own(standing: &Standing, object: &DynamicObject, chain: Vec<String>) -> Cause {
    match standing.condition() {
        Some(why) => Cause {
            chain,
            reason: why.reason.clone(),
            message: why.message.clone(),
            fix: String::new(),
            until: None,
        },
        None => Cause {
            chain,
            reason: "Unseen".into(),
            message: format!(
                "The operator has not looked at generation {} yet.",
                object.metadata.generation.unwrap_or_default()
            ),
            fix: "Wait a moment; if it stays so, see whether it runs: kubectl get deploy -A -l app.kubernetes.io/name=roadstead".into(),
            until: None,
        },
    }
}

/// The cause that a blocker gives; the condition says it in a sentence where it is about the same.
fn blocked(blocker: Blocker, condition: Option<&Condition>, chain: Vec<String>) -> Cause {
    let word = blocker.what.split('/').next().unwrap_or_default();
    let same = condition.filter(|c| c.reason == word && c.message != blocker.fix);
    // What to do may say why, too: once is enough.
    let again = |c: &&Condition| blocker.fix.contains(c.message.trim_end_matches('.'));
    let same = same.filter(|c| !again(c));
    let message = same.map(|c| c.message.replace(&blocker.fix, ""));
    Cause {
        chain,
        message: message.unwrap_or_default().trim().to_owned(),
        reason: blocker.what,
        fix: blocker.fix,
        until: blocker.until,
    }
}

/// The whole chain in one sentence, then what to do.
fn sentence(cause: &Cause) -> String {
    let chain = match cause.chain.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} waits for {}", rest.join(", which waits for ")),
    };
    let verb = if cause.message.is_empty() {
        if cause.chain.len() > 1 {
            format!(", which waits for {}", cause.reason)
        } else {
            format!(" waits for {}", cause.reason)
        }
    } else {
        format!(
            ": {} ({})",
            cause.message.trim_end_matches('.'),
            cause.reason
        )
    };
    let until = cause.until.as_ref().map(|until| format!(", until {until}"));
    let mut text = format!("{chain}{verb}{}.\n", until.unwrap_or_default());
    if !cause.fix.is_empty() {
        text.push_str(&format!("  do: {}\n", cause.fix));
    }
    text
}

/// What is said of an object that waits for nothing.
fn well(target: &Target, object: &DynamicObject, standing: &Standing) -> String {
    let message = standing.condition().map(|c| c.message.as_str());
    let message = message.filter(|m| !m.is_empty());
    let mut text = match (message, state(object)) {
        (Some(message), _) => format!("{target} waits for nothing: {message}\n"),
        (None, Some(state)) => format!("{target} waits for nothing: it is {state}.\n"),
        (None, None) => format!("{target} waits for nothing.\n"),
    };
    let pending = object.data.pointer("/status/pendingChanges");
    let pending = pending.and_then(Value::as_array).map_or(0, Vec::len);
    if pending > 0 {
        text.push_str(&format!(
            "  do: {pending} of its changes wait for a release: kubectl roadstead release {} -n {}\n",
            target.name,
            object.metadata.namespace.as_deref().unwrap_or_default()
        ));
    }
    text
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
