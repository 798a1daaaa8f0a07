//! Events: what `kubectl describe` shows of an object's past.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::{Client, api::PostParams};
use serde_json::json;
use tracing::debug;

use super::{client::within, edits, report::News};
use crate::{api, plan::Kept};

const DEADLINE: Duration = Duration::from_secs(10);

/// Tell each piece of news of an object. One that is lost is not told again: events are no record.
pub async fn tell(client: &Client, me: &str, about: &Kept, news: Vec<News>) {
    let entry = about.id.of.entry();
    let ns = if about.id.ns.is_empty() {
        "default"
    } else {
        &about.id.ns
    };
    let events: kube::Api<Event> = kube::Api::namespaced(client.clone(), ns);
    for item in news {
        let now = Timestamp::now();
        let note: String = item.note.chars().take(1000).collect();
        let mut metadata = json!({"name": format!("{}.{:x}", about.id.name, now.as_nanosecond()), "namespace": ns});
        if let Some(by) = &item.by {
            metadata["labels"] = json!({api::ACTOR: edits::as_label(by)});
            metadata["annotations"] = json!({api::ACTOR: by});
        }
        let event = json!({
            "metadata": metadata,
            "eventTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(now),
            "reportingController": api::GROUP, "reportingInstance": me,
            "action": if item.by.is_some() { "Change" } else { "Reconcile" }, "reason": item.reason, "note": note,
            "type": if item.warning { "Warning" } else { "Normal" },
            "regarding": {
                "apiVersion": entry.api_version(), "kind": entry.kind, "name": &*about.id.name,
                "namespace": &*about.id.ns, "uid": &*about.uid, "resourceVersion": about.rv.to_string(),
            },
        });
        let Ok(event) = serde_json::from_value::<Event>(event) else {
            continue;
        };
        if let Err(cause) = within(DEADLINE, events.create(&PostParams::default(), &event)).await {
            debug!(?cause, "an event was not taken");
        }
    }
}
