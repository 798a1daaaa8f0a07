//! What a status says is complete, and does not change while nothing happens.

use jiff::Timestamp;
use serde_json::Value;

/// What is wrong with the conditions and blockers of a status.
pub fn broken(status: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let conditions = list(status, "conditions");
    let of = |type_: &str| {
        conditions
            .iter()
            .find(|c| c["type"] == type_)
            .map(|c| &c["status"])
    };
    if conditions.iter().filter(|c| c["type"] == "Ready").count() != 1 {
        wrong.push("Ready is not there exactly once".into());
    }
    let is = |type_: &str, value: &str| of(type_).is_some_and(|status| status == value);
    if is("Ready", "Unknown") != is("Reconciling", "True") {
        wrong.push("Ready is Unknown if and only if Reconciling is True".into());
    }
    if is("Ready", "False") != is("Stalled", "True") {
        wrong.push("Ready is False if and only if Stalled is True".into());
    }
    for condition in &conditions {
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        let type_ = text("type");
        if text("reason").is_empty() || text("reason").contains(' ') {
            wrong.push(format!("{type_} has no one-word reason"));
        }
        wrong.extend(sentence(
            &format!("the message of {type_}"),
            text("message"),
        ));
    }
    for blocker in list(status, "blockers") {
        let what = blocker["what"].as_str().unwrap_or_default();
        if what.is_empty() {
            wrong.push("a blocker does not say what is in the way".into());
        }
        let fix = blocker["fix"].as_str().unwrap_or_default();
        wrong.extend(sentence(&format!("the fix of {what}"), fix));
        wrong.extend(commands(&format!("the fix of {what}"), fix));
    }
    wrong
}

/// Kinds that stand in no namespace.
const EVERYWHERE: [&str; 7] = [
    "rinst",
    "msc",
    "rtpl",
    "serviceclasses",
    "namespace",
    "node",
    "nodes",
];

/// A command works where it is pasted: it says in which namespace, where it is about something that stands in one.
fn commands(what: &str, text: &str) -> Option<String> {
    let of_kubectl = text.split("kubectl ").skip(1);
    let somewhere = |rest: &&str| {
        let words: Vec<&str> = rest
            .split_whitespace()
            .map(|w| w.trim_end_matches(['.', ',', ';', '`']))
            .take_while(|w| *w != "and")
            .collect();
        let kind = words
            .get(1)
            .map_or("", |w| w.split('/').next().unwrap_or(w));
        !EVERYWHERE.contains(&kind) && !words.contains(&"-n")
    };
    let mut lost = of_kubectl.filter(somewhere);
    lost.next()
        .map(|rest| format!("{what} names no namespace: kubectl {rest}"))
}

#[test]
fn a_command_that_depends_on_where_it_is_pasted_is_found() {
    let lost = |text| commands("it", text).is_some();
    assert!(lost("See why: kubectl describe pod a. It ends."));
    assert!(lost("`kubectl logs a` and `kubectl logs b -n c` say why."));
    assert!(!lost("`kubectl describe pod a -n b` says why."));
    assert!(!lost("Choose one of kubectl get msc."));
}

fn list(status: &Value, key: &str) -> Vec<Value> {
    status[key].as_array().cloned().unwrap_or_default()
}

/// A sentence is there, and holds neither a time nor how far something is.
fn sentence(what: &str, text: &str) -> Option<String> {
    if text.split_whitespace().count() < 2 {
        return Some(format!("{what} is no sentence: {text:?}"));
    }
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|w| w.trim_matches(['.', ',', ':', ';', '(', ')', '`']))
        .collect();
    let number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let counts = words
        .windows(3)
        .any(|w| number(w[0]) && w[1] == "of" && number(w[2]));
    let share = |word: &&str| {
        word.split_once('/')
            .is_some_and(|(a, b)| number(a) && number(b))
    };
    let time = |word: &&str| word.parse::<Timestamp>().is_ok() || *word == "ago";
    if counts || words.iter().any(|word| share(word) || time(word)) {
        return Some(format!("{what} changes by itself: {text:?}"));
    }
    None
}

#[test]
fn a_message_that_counts_or_tells_the_time_is_found() {
    for text in [
        "2 of 3 replicas are ready.",
        "2/3 are ready.",
        "Since 2026-11-22T03:00:00Z.",
        "Began 3 minutes ago.",
    ] {
        assert!(sentence("it", text).is_some(), "{text}");
    }
    assert_eq!(
        sentence(
            "it",
            "Not every replica is ready; a plan of Free admits 10."
        ),
        None
    );
}
