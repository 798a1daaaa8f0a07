//! What must hold for every plan, whatever the case.

pub mod pods;
mod words;

use roadstead::{
    api,
    kinds::Of,
    plan::{Plan, Step, Want},
};
use serde_json::{Value, json};

use super::{
    case::{self, Case},
    schema, shown, world,
};

/// What does not hold.
pub fn broken(case: &Case, plan: &Plan) -> Vec<String> {
    let me = object(case);
    let mut wrong = Vec::new();
    for object in &case.world {
        let id = case::id(object).expect("it has a name");
        wrong.extend(
            schema::misfits(&id, object)
                .into_iter()
                .map(|why| format!("{id}: {why}")),
        );
    }
    let status = json!({ "status": plan.status });
    wrong.extend(schema::misfits(&case.id, &status));
    if shown::yaml(case, plan) != shown::yaml(case, &case.plan()) {
        wrong.push("planning twice gives two plans".into());
    }
    wrong.extend(words::broken(&plan.status));
    for want in wants(plan) {
        let about = |why: String| format!("{}: {why}", want.id);
        if want.body["metadata"].get("uid").is_some() {
            wrong.extend(mark(want).map(about));
            continue;
        }
        wrong.extend(child(want, me).into_iter().map(about));
        wrong.extend(schema::misfits(&want.id, &want.body).into_iter().map(about));
        wrong.extend(
            pods::broken(&want.body, &me["metadata"]["uid"])
                .into_iter()
                .map(about),
        );
    }
    wrong.extend(leaks(case, plan));
    wrong.extend(losses(case, plan));
    wrong.extend(restless(case, plan));
    wrong
}

/// The planned object.
fn object(case: &Case) -> &Value {
    let mut objects = case.world.iter();
    let is_me = |object: &&Value| case::id(object).is_ok_and(|id| id == case.id);
    objects.find(is_me).expect("the object is in its world")
}

/// The children that are written whole.
fn wants(plan: &Plan) -> impl Iterator<Item = &Want> {
    plan.steps.iter().filter_map(|step| match step {
        Step::Apply(want) | Step::Create(want, _) => Some(want),
        _ => None,
    })
}

/// On an object that somebody else made stands nothing of ours but labels.
fn mark(want: &Want) -> Option<String> {
    let body = want.body.as_object()?;
    let meta = want.body["metadata"].as_object()?;
    let only = ["apiVersion", "kind", "metadata"];
    let marks = ["name", "namespace", "uid", "labels"];
    let alone = body.keys().all(|key| only.contains(&key.as_str()));
    let alone = alone && meta.keys().all(|key| marks.contains(&key.as_str()));
    (!alone).then(|| "it is somebody else's, and more than labels is written".to_owned())
}

/// A child has a legal name, says whom it is for, and holds nothing empty.
fn child(want: &Want, me: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    let (entry, meta) = (want.id.of.entry(), &want.body["metadata"]);
    // A StatefulSet's and a CronJob's name go on in the names of what they make.
    let longest = match want.id.of {
        Of::StatefulSet | Of::BatchCronJob => 52,
        // Nothing is named after them that would have to be shorter.
        Of::Secret | Of::VolumeSnapshot => 253,
        _ => 63,
    };
    must(
        is_label(&want.id.name) && want.id.name.len() <= longest,
        "its name is no DNS label that fits",
    );
    must(
        entry.namespaced != want.id.ns.is_empty(),
        "it stands in no namespace, or a cluster-scoped kind in one",
    );
    must(
        case::id(&want.body).is_ok_and(|id| id == want.id),
        "its body names another object",
    );
    must(
        meta["labels"][api::OWNER] == me["metadata"]["uid"],
        "it does not carry its owner's UID",
    );
    if let Some(references) = meta["ownerReferences"].as_array() {
        let [reference] = references.as_slice() else {
            return vec!["it has several owners".into()];
        };
        must(
            reference["uid"] == me["metadata"]["uid"],
            "it is owned by another object",
        );
        must(
            reference["kind"] == me["kind"],
            "it is owned by another kind",
        );
        must(
            reference["controller"] == true,
            "its owner is no controller",
        );
    }
    hollow("", &want.body, &mut wrong);
    wrong
}

fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(name.chars().next())
        && edge(name.chars().last())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Nulls and empty lists: the server records no owner for them, so they would look like drift for ever.
fn hollow(path: &str, value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Null => wrong.push(format!("{path} is null")),
        Value::Array(list) if list.is_empty() => wrong.push(format!("{path} is an empty list")),
        Value::Array(list) => list
            .iter()
            .for_each(|inner| hollow(&format!("{path}[]"), inner, wrong)),
        Value::Object(map) => map
            .iter()
            .for_each(|(key, inner)| hollow(&format!("{path}.{key}"), inner, wrong)),
        _ => {}
    }
}

/// Values of Secrets stay in Secrets. Keys that sound like a secret are looked for, and values that say that they are one.
fn leaks(case: &Case, plan: &Plan) -> Vec<String> {
    let secrets = case
        .world
        .iter()
        .filter(|object| object["kind"] == "Secret");
    let values = secrets.flat_map(|secret| {
        let data = secret["data"].as_object().into_iter();
        data.flat_map(|data| data.keys()).filter_map(move |key| {
            let value = world::value(secret, key);
            let upper = key.to_uppercase();
            let mut sounds = ["PASSWORD", "SECRET", "TOKEN", "DSN", "URI", "KEY"].iter();
            let is_secret = sounds.any(|word| upper.contains(word)) || value.contains("s3cret");
            (is_secret && value.len() >= 6).then_some(value)
        })
    });
    let values: Vec<String> = values.collect();
    let open = plan.steps.iter().map(|step| match step {
        Step::Apply(want) | Step::Create(want, _) if want.id.of == Of::Secret => {
            want.body["metadata"].to_string()
        }
        Step::Apply(want) | Step::Create(want, _) => want.body.to_string(),
        Step::Edit(edit, _) => edit.patch["metadata"].to_string(),
        _ => String::new(),
    });
    let open: Vec<String> = open.chain([plan.status.to_string()]).collect();
    let leaked = |value: &&String| open.iter().any(|text| text.contains(value.as_str()));
    values
        .iter()
        .filter(leaked)
        .map(|_| "a value of a Secret stands in the open".to_owned())
        .collect()
}

/// Data goes only where the policy of its owner says so.
fn losses(case: &Case, plan: &Plan) -> Vec<String> {
    let me = object(case);
    let meta = &me["metadata"];
    let backup_goes = me["kind"] == "Backup" && meta.get("deletionTimestamp").is_some();
    if me["spec"]["dataPolicy"] == "Delete" || backup_goes || is_copied(case) {
        return Vec::new();
    }
    let after = world::after(&case.world, me, plan);
    let is_data = |object: &&Value| {
        let owned = object["metadata"]["ownerReferences"]
            .as_array()
            .is_some_and(|r| !r.is_empty());
        let kept = match object["kind"].as_str() {
            Some("Secret") => !owned,
            Some("VolumeSnapshot") => object["status"]["readyToUse"] == true,
            Some(kind) => kind == "PersistentVolumeClaim",
            None => false,
        };
        kept && !is_past(object, case) && !goes_anyway(object, case)
    };
    let stays = |object: &&Value| {
        let uid = &object["metadata"]["uid"];
        after.iter().any(|other| other["metadata"]["uid"] == *uid)
    };
    let lost = case
        .world
        .iter()
        .filter(is_data)
        .filter(|object| !stays(object));
    lost.map(|object| {
        format!(
            "{} {} is data and goes",
            object["kind"], object["metadata"]["name"]
        )
    })
    .collect()
}

/// Whether somebody else has its end: it, its claim or its namespace is being deleted already.
fn goes_anyway(object: &Value, case: &Case) -> bool {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let claim = format!("{}-0", text("name"));
    let named = |other: &&Value| {
        let kind = other["kind"].as_str();
        let name = &other["metadata"]["name"];
        let its_claim = kind == Some("PersistentVolumeClaim") && *name == *claim;
        let its_namespace = kind == Some("Namespace") && *name == *text("namespace");
        *other == object || its_claim || its_namespace
    };
    let mut ends = case.world.iter().filter(named);
    ends.any(|other| other["metadata"].get("deletionTimestamp").is_some())
}

/// Whether a deleted Service goes whose last Backup holds what it held.
fn is_copied(case: &Case) -> bool {
    let me = object(case);
    let text = |field: &str| me["metadata"][field].as_str().unwrap_or_default();
    let uid8: String = text("uid").chars().take(8).collect();
    let record = format!("{}-last-{uid8}-backup", text("name"));
    let mut secrets = case.world.iter().filter(|o| o["kind"] == "Secret");
    let record = secrets.find(|o| o["metadata"]["name"] == *record);
    let ended = record.and_then(|o| o["metadata"]["annotations"]["roadstead.dev/ended"].as_str());
    me["spec"]["dataPolicy"] == "Snapshot" && ended.is_some_and(|said| said.contains("takenAt"))
}

/// Whether it no longer counts and was kept for as long as was said: of a claim, its Secret says so.
fn is_past(object: &Value, case: &Case) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let secret = name.strip_suffix("-0").unwrap_or(name);
    let mut secrets = case.world.iter().filter(|o| o["kind"] == "Secret");
    let secret = secrets.find(|o| o["metadata"]["name"] == *secret);
    let until = secret.and_then(|o| o["metadata"]["annotations"]["roadstead.dev/until"].as_str());
    let until = until.and_then(|at| at.parse::<jiff::Timestamp>().ok());
    until.is_some_and(|at| at <= case.now)
}

/// Carried out, a plan comes to rest: the same children, nothing more to make, change or delete.
fn restless(case: &Case, plan: &Plan) -> Vec<String> {
    let (mut world, mut plan) = (case.world.clone(), plan.clone());
    for pass in 1..=case.passes {
        world = world::after(&world, object(case), &plan);
        let is_me = |object: &Value| case::id(object).is_ok_and(|id| id == case.id);
        if !world.iter().any(is_me) {
            // It has deleted itself.
            return Vec::new();
        }
        let next = world::plan(&world, &case.id, case.now);
        let applied = |plan: &Plan| -> Vec<Value> {
            let applies = plan
                .steps
                .iter()
                .filter(|step| matches!(step, Step::Apply(_)));
            applies
                .filter_map(|step| match step {
                    Step::Apply(want) => Some(want.body.clone()),
                    _ => None,
                })
                .collect()
        };
        let there = |step: &Step| {
            world
                .iter()
                .any(|o| case::id(o).is_ok_and(|id| id == *world::id_of(step)))
        };
        let moving = next.steps.iter().find(|step| match step {
            Step::Create(..) => !there(step),
            Step::Edit(..) | Step::Delete(_) => true,
            _ => false,
        });
        let rests = applied(&next) == applied(&plan) && moving.is_none();
        if rests && pass < case.passes {
            return vec![format!("it rests after {pass} of its passes")];
        }
        if !rests && pass == case.passes {
            let then = Case {
                world: Vec::new(),
                id: case.id.clone(),
                ..*case
            };
            return vec![format!(
                "after {pass} passes there is still something to do; next is:\n{}",
                shown::yaml(&then, &next)
            )];
        }
        plan = next;
    }
    Vec::new()
}
