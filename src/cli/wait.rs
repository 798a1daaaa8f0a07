//! Waiting: a watch on one object until it says what is waited for, the time is over, or Ctrl-C.

use std::fmt::Debug;

use futures::StreamExt;
use kube::{
    Api, Resource,
    api::DynamicObject,
    runtime::{
        WatchStreamExt,
        watcher::{self, watch_object},
    },
};
use serde::de::DeserializeOwned;

use super::{
    fail::{Exit, Failure},
    progress::Progress,
    scope::{Cluster, Scope},
    standing::{Standing, blockers, conditions, state},
    target::Target,
};

/// What is waited for, for the sentences about it.
pub struct Waiting<'a> {
    /// The flags of the verb.
    pub scope: &'a Scope,
    /// What is waited for, such as `environment/shop-live`.
    pub what: String,
    /// How to look at it later: a command.
    pub look: String,
}

impl Waiting<'_> {
    /// Watches an object and shows each of its states to `see`, until that has an answer.
    pub async fn until<K, T>(
        &self,
        api: Api<K>,
        name: &str,
        mut see: impl FnMut(Option<&K>) -> Option<Result<T, Failure>>,
    ) -> Result<T, Failure>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let mut states = std::pin::pin!(watch_object(api, name).default_backoff());
        let mut over = std::pin::pin!(tokio::time::sleep(self.scope.timeout));
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let state = tokio::select! {
                state = states.next() => state,
                () = &mut over => return Err(self.scope.timed_out(&self.what, &self.look)),
                _ = &mut interrupt => return Err(self.interrupted()),
            };
            let seen = match state {
                Some(Ok(object)) => see(object.as_ref()),
                Some(Err(e)) => self.refused(&e).map(Err),
                None => Some(Err(Failure::refused(
                    format!("the watch on {} ended", self.what),
                    self.look.clone(),
                ))),
            };
            if let Some(answer) = seen {
                return answer;
            }
        }
    }

    /// Waits until an object is as declared, and shows what it waits for meanwhile.
    pub async fn settle(
        &self,
        cluster: &Cluster,
        target: &Target,
        progress: &mut Progress,
    ) -> Result<DynamicObject, Failure> {
        self.settle_and(&[], cluster, target, progress).await
    }

    /// The same, and until each of these conditions is true. One that is false ends the wait.
    pub async fn settle_and(
        &self,
        also: &[&str],
        cluster: &Cluster,
        target: &Target,
        progress: &mut Progress,
    ) -> Result<DynamicObject, Failure> {
        self.until(cluster.dynamic(target.of), &target.name, |object| {
            let Some(object) = object else {
                return Some(Err(Failure::new(
                    Exit::NotFound,
                    format!("{target} was deleted meanwhile"),
                    "",
                )));
            };
            match Standing::of(object) {
                Standing::Ready(_) => match open(also, object) {
                    None => Some(Ok(object.clone())),
                    Some(Open::Never(why)) => Some(Err(self.hopeless(target, object, &why))),
                    Some(Open::Yet(why)) => {
                        progress.now(&format!("{target}: {why}"));
                        None
                    }
                },
                Standing::Stalled(why) => Some(Err(self.hopeless(target, object, &why.message))),
                standing => {
                    progress.now(&line(target, object, &standing));
                    None
                }
            }
        })
        .await
    }

    fn hopeless(&self, target: &Target, object: &DynamicObject, why: &str) -> Failure {
        Failure::refused(
            format!("{target} cannot go on: {why}"),
            fix_of(object).unwrap_or_else(|| self.look.clone()),
        )
    }

    /// Errors that waiting cannot mend; all others are tried again.
    fn refused(&self, error: &watcher::Error) -> Option<Failure> {
        let (watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e)) = error
        else {
            return None;
        };
        match e {
            kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404) => {
                Some(Failure::from_api(e, &format!("watch {}", self.what)))
            }
            _ => None,
        }
    }

    fn interrupted(&self) -> Failure {
        Failure::new(
            Exit::Interrupted,
            format!("no longer waiting; {} goes on without us", self.what),
            self.look.clone(),
        )
    }
}

/// A condition that is not true: what it says.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    /// It may become true.
    Yet(String),
    /// It does not.
    Never(String),
}

/// The first of these conditions of an object that is not true.
fn open(also: &[&str], object: &DynamicObject) -> Option<Open> {
    let all = conditions(object);
    also.iter().find_map(|type_| {
        let said = all.iter().find(|condition| condition.type_ == *type_);
        match said.map(|c| (c.status.as_str(), c.message.clone())) {
            Some(("True", _)) => None,
            Some(("False", why)) => Some(Open::Never(why)),
            Some((_, why)) => Some(Open::Yet(why)),
            None => Some(Open::Yet(format!("{type_} is not known yet"))),
        }
    })
}

/// One line about an object that is on its way.
fn line(target: &Target, object: &DynamicObject, standing: &Standing) -> String {
    let waits: Vec<String> = blockers(object)
        .into_iter()
        .map(|b| format!("{}: {}", b.what, b.fix))
        .collect();
    if !waits.is_empty() {
        return format!("{target} waits for {}", waits.join("; "));
    }
    match standing.condition() {
        None => format!("{target}: the operator has not looked at it yet"),
        Some(why) if why.message.is_empty() => {
            let state = state(object).unwrap_or(&why.reason);
            format!("{target} is {state}")
        }
        Some(why) => format!("{target}: {}", why.message),
    }
}

/// What to do about the first thing that an object waits for.
pub fn fix_of(object: &DynamicObject) -> Option<String> {
    blockers(object)
        .into_iter()
        .map(|b| b.fix)
        .find(|fix| !fix.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cli::standing::tests::{condition, object},
        kinds::Of,
    };

    #[test]
    fn a_condition_is_open_until_it_is_true() {
        let said = |status: &str| {
            let conditions = json!([condition("Verified", status, "Proof")]);
            let status = json!({"conditions": conditions});
            open(&["Verified"], &object("Backup", "b", 1, json!({}), status))
        };
        let why = "It is Proof.".to_owned();
        assert_eq!(said("True"), None);
        assert_eq!(said("Unknown"), Some(Open::Yet(why.clone())));
        assert_eq!(said("False"), Some(Open::Never(why)));
        let silent = object("Backup", "b", 1, json!({}), json!({}));
        assert!(matches!(open(&["Verified"], &silent), Some(Open::Yet(_))));
        assert_eq!(open(&[], &silent), None);
    }

    #[test]
    fn the_line_names_what_is_waited_for_and_the_fix() {
        let status = json!({
            "conditions": [condition("Ready", "Unknown", "Waiting")],
            "blockers": [{"what": "ServiceNotReady/shop-db", "fix": "Wait until it runs."}],
        });
        let object = object("Environment", "shop", 1, json!({}), status);
        let target = Target::new(Of::Environment, "shop");
        assert_eq!(
            line(&target, &object, &Standing::of(&object)),
            "environment/shop waits for ServiceNotReady/shop-db: Wait until it runs."
        );
        assert_eq!(fix_of(&object).as_deref(), Some("Wait until it runs."));
    }
}
