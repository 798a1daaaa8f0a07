//! What is said of an object: the planned status, with times filled in, what the API server refused, and what changed since.

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};

use super::trouble::Trouble;
use crate::{
    api::status::{READY, RECONCILING, STALLED},
    plan::build::meta::lean,
};

/// Seconds are enough for people, and stay equal when written and read.
pub fn stamp(now: Timestamp) -> String {
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// The status as it is written: what was planned, with `observedGeneration`, and with the times of conditions and blockers that were
/// said before.
pub fn status(planned: Value, before: &Value, generation: i64, now: Timestamp) -> Value {
    let mut status = lean(planned).unwrap_or_default();
    let Some(fields) = status.as_object_mut() else {
        return Value::Null;
    };
    let now = stamp(now);
    if let Some(conditions) = list(fields, "conditions") {
        for condition in conditions {
            let same = find(before, "conditions", "type", condition)
                .filter(|b| {
                    b["status"] == condition["status"] && b["reason"] == condition["reason"]
                })
                .and_then(|b| b.get("lastTransitionTime"));
            condition["lastTransitionTime"] = same.cloned().unwrap_or_else(|| json!(now));
            condition["observedGeneration"] = json!(generation);
        }
    }
    if let Some(blockers) = list(fields, "blockers") {
        for blocker in blockers {
            let same = find(before, "blockers", "what", blocker).and_then(|b| b.get("since"));
            blocker["since"] = same.cloned().unwrap_or_else(|| json!(now));
        }
    }
    fields.insert("observedGeneration".into(), json!(generation));
    status
}

fn list<'a>(fields: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Vec<Value>> {
    fields.get_mut(key).and_then(Value::as_array_mut)
}

fn find<'a>(before: &'a Value, field: &str, key: &str, of: &Value) -> Option<&'a Value> {
    let list = before.get(field)?.as_array()?;
    list.iter().find(|b| b[key] == of[key])
}

/// The planned status with what the API server refused: other conditions stay as planned.
pub fn refused(mut planned: Value, trouble: &Trouble) -> Value {
    if !planned.is_object() {
        planned = json!({});
    }
    let (reason, message) = (trouble.reason(), trouble.message());
    let said = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": reason, "message": message});
    let blocker = trouble.blocker();
    let mut conditions = match blocker {
        Some(_) => vec![said(READY, "False"), said(STALLED, "True")],
        None => vec![said(READY, "Unknown"), said(RECONCILING, "True")],
    };
    let before = planned["conditions"].take();
    let others = before.as_array().into_iter().flatten();
    conditions.extend(
        others
            .filter(|c| {
                ![READY, RECONCILING, STALLED]
                    .map(Value::from)
                    .contains(&c["type"])
            })
            .cloned(),
    );
    planned["conditions"] = Value::Array(conditions);
    if let Some(what) = blocker {
        let mut blockers = planned["blockers"].as_array().cloned().unwrap_or_default();
        blockers.retain(|b| b["what"] != json!(what));
        blockers.push(json!({"what": what, "fix": trouble.fix()}));
        planned["blockers"] = Value::Array(blockers);
    }
    planned
}

/// The merge patch that turns one value into another.
pub fn patch(before: &Value, after: &Value) -> Value {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return after.clone();
    };
    let mut patch = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(same) if same == value => {}
            Some(other) => {
                patch.insert(key.clone(), self::patch(other, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

/// Whether a verdict differs, which people and tools wait for; other figures may wait a little themselves.
pub fn turns(before: &Value, after: &Value) -> bool {
    let verdicts = |status: &Value| -> Vec<[Value; 3]> {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .map(|c| ["type", "status", "reason"].map(|key| c[key].clone()))
            .collect()
    };
    let generations = ["observedGeneration", "applicationGeneration"];
    verdicts(before) != verdicts(after) || generations.iter().any(|g| before[g] != after[g])
}

/// A sentence worth an Event.
#[derive(Debug, PartialEq)]
pub struct News {
    /// Whether somebody should look at it.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub note: String,
    /// Who did it, where it is somebody's deed.
    pub by: Option<String>,
}

/// What changed: one for each condition whose reason is another than before, none twice. An object that is seen for the first time
/// has news only if it is bad.
pub fn news(before: &Value, after: &Value) -> Vec<News> {
    let mut news: Vec<News> = Vec::new();
    let conditions = after["conditions"].as_array().into_iter().flatten();
    for condition in conditions {
        let known = find(before, "conditions", "type", condition);
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        let warning = match text("type").as_str() {
            STALLED => text("status") == "True",
            READY => text("status") == "False",
            _ => false,
        };
        let changed = known.is_none_or(|k| k["reason"] != condition["reason"]);
        let first = known.is_none() && before["conditions"].is_null();
        let reason = text("reason");
        if changed && (warning || !first) && news.iter().all(|n| n.reason != reason) {
            let note = text("message");
            news.push(News {
                warning,
                reason,
                note,
                by: None,
            });
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kinds::Of, plan::Id, run::trouble::Cause};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ready(reason: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": "True", "reason": reason, "message": "m"}], "blockers": [{"what": "A/b", "fix": "f"}], "none": null, "empty": []})
    }

    #[test]
    fn times_stay_as_long_as_nothing_changes_and_a_second_status_is_equal_to_the_first() {
        let first = status(ready("Up"), &Value::Null, 3, at(100));
        assert_eq!(
            first["conditions"][0]["lastTransitionTime"],
            "1970-01-01T00:01:40Z"
        );
        assert_eq!(first["conditions"][0]["observedGeneration"], 3);
        assert_eq!(first["observedGeneration"], 3);
        assert!(first.get("none").is_none() && first.get("empty").is_none());
        assert_eq!(status(ready("Up"), &first, 3, at(200)), first);
        let other = status(ready("Down"), &first, 3, at(200));
        assert_eq!(
            other["conditions"][0]["lastTransitionTime"],
            "1970-01-01T00:03:20Z"
        );
        assert_eq!(other["blockers"][0]["since"], "1970-01-01T00:01:40Z");
    }

    #[test]
    fn a_refusal_takes_the_place_of_ready_and_leaves_other_conditions_alone() {
        let planned = json!({"state": "running", "conditions": [
            {"type": "Ready", "status": "True", "reason": "Up"},
            {"type": "Released", "status": "True", "reason": "Done"},
        ]});
        let id = Id::new(Of::Deployment, "a", "web");
        let trouble = Trouble::new(&id, "patch", Cause::Quota("team".into()));
        let status = refused(planned.clone(), &trouble);
        let types: Vec<_> = status["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["type"].clone())
            .collect();
        assert_eq!(types, ["Ready", "Stalled", "Released"]);
        assert_eq!(
            status["blockers"][0]["what"],
            "QuotaExceeded/Deployment web"
        );
        let busy = Trouble::new(&id, "patch", Cause::Unreachable("503".into()));
        let status = refused(planned, &busy);
        assert_eq!(status["conditions"][0]["status"], "Unknown");
        assert_eq!(status["conditions"][1]["type"], "Reconciling");
        assert!(status.get("blockers").is_none());
    }

    #[test]
    fn a_patch_names_what_changed_and_what_is_gone() {
        let before = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1]});
        let after = json!({"a": 1, "b": {"c": 2}, "e": [2], "f": 3});
        assert_eq!(
            patch(&before, &after),
            json!({"b": {"c": 2, "d": null}, "e": [2], "f": 3})
        );
    }

    #[test]
    fn each_reason_is_told_once_and_the_first_sight_of_a_healthy_object_is_no_news() {
        let fine = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Up", "message": "m"}]});
        let bad = json!({"conditions": [
            {"type": "Ready", "status": "False", "reason": "Down", "message": "m"},
            {"type": "Stalled", "status": "True", "reason": "Down", "message": "m"},
        ]});
        assert!(news(&json!({}), &fine).is_empty());
        assert_eq!(news(&json!({}), &bad).len(), 1);
        assert_eq!(news(&fine, &bad).len(), 1);
        assert!(news(&bad, &fine)[0].reason == "Up");
        assert!(news(&fine, &fine).is_empty());
    }
}
