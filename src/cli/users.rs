//! Who uses a Service: those that are without it while it stands still.

use kube::ResourceExt;

use super::{
    fail::{Exit, Failure},
    progress::Progress,
    scope::{Cluster, Scope},
    target::Target,
    wait::Waiting,
};
use crate::{
    api::{Environment, Service, environment::EnvironmentState},
    kinds::Of,
};

/// The environments that use a Service, each once.
pub fn of(service: &Service) -> Vec<String> {
    let attached = service.status.iter().flat_map(|s| &s.attachments);
    let mut names: Vec<String> = attached.map(|one| one.environment.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Of these environments those that are declared to run. One that nobody may look at counts.
pub fn running(names: Vec<String>, environments: &[Environment]) -> Vec<String> {
    let stopped = |name: &String| {
        let it = environments.iter().find(|e| e.name_any() == *name);
        it.is_some_and(|e| e.spec.state == Some(EnvironmentState::Stopped))
    };
    let running = names.into_iter().filter(|name| !stopped(name));
    running.collect()
}

/// Environments in a sentence, such as `environment/a and environment/b`.
pub fn list(names: &[String]) -> String {
    format!("environment/{}", names.join(" and environment/"))
}

/// Waits until those serve again that stood still with these Services: what they have is there only then. One that needs a person for
/// another reason is told, and holds nobody up.
pub async fn are_back(
    cluster: &Cluster,
    scope: &Scope,
    services: &[String],
) -> Result<(), Failure> {
    let all: Vec<Service> = cluster.list(Of::Service).await?;
    let concerned = all.iter().filter(|s| services.contains(&s.name_any()));
    let mut names: Vec<String> = concerned.flat_map(of).collect();
    names.sort();
    names.dedup();
    let mut progress = Progress::start();
    for name in names {
        let target = Target::new(Of::Environment, name);
        let waiting = Waiting {
            scope,
            what: target.to_string(),
            look: format!("kubectl roadstead why {target} -n {}", cluster.namespace),
        };
        match waiting.settle(cluster, &target, &mut progress).await {
            Err(failure) if matches!(failure.exit, Exit::Failed | Exit::NotFound) => {
                progress.say(failure.text().trim_end());
            }
            settled => settled.map(drop)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(environments: &[&str]) -> Service {
        let attached = environments
            .iter()
            .map(|name| json!({"environment": name, "prefix": "DEFAULT", "state": "attached"}));
        let attached: Vec<serde_json::Value> = attached.collect();
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Service", "metadata": {"name": "shop-db"},
            "spec": {"classRef": {"name": "postgres"}}, "status": {"attachments": attached},
        }))
        .unwrap()
    }

    fn environment(name: &str, state: &str) -> Environment {
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name},
            "spec": {"applicationRef": {"name": "shop"}, "state": state},
        }))
        .unwrap()
    }

    #[test]
    fn those_that_run_are_named_once() {
        let names = of(&service(&["live", "test", "live"]));
        assert_eq!(names, ["live", "test"]);
        assert_eq!(list(&names), "environment/live and environment/test");
        let there = [
            environment("live", "Running"),
            environment("test", "Stopped"),
        ];
        assert_eq!(running(names.clone(), &there), ["live"]);
        assert_eq!(running(names, &[]), ["live", "test"]);
        assert!(of(&service(&[])).is_empty());
    }
}
