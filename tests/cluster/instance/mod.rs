//! Instances: how they are found, named, kept apart and ended.

mod access;
mod ending;
mod isolation;
mod naming;
mod recovery;

pub use access::*;
pub use ending::*;
pub use isolation::*;
pub use naming::*;
pub use recovery::*;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::{Said, World};

/// The operator's account, which passes the guards.
const OPERATOR: &str = "system:serviceaccount:roadstead-system:roadstead";

/// A pod that restricted Pod Security admits.
pub fn pod(name: &str, command: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: main
    image: docker.io/library/busybox:1.36
    command: [busybox, sh, -c, "{command}"]
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"#
    )
}

/// An Application and an Environment of it that answers on port 8000.
fn toy() -> &'static str {
    r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  displayName: Toy
  image: docker.io/library/busybox:1.36
  port: 8000
  containers: [{name: web, kind: Web, command: [busybox, httpd, -f, -p, "8000", -h, /etc]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}}
"#
}

impl World {
    /// An Instance, or nothing.
    async fn of_name(&self, name: &str) -> Result<Option<Value>> {
        self.get(&format!("rinst/{name}"), "default").await
    }

    /// Lays a merge patch over an Instance and tells what came of it.
    async fn patch(&self, name: &str, patch: &str) -> Result<Said> {
        let object = format!("rinst/{name}");
        let words = [
            "kubectl",
            "patch",
            &object,
            "--type=merge",
            "-o",
            "json",
            "-p",
            patch,
        ];
        self.run(&words, None).await
    }

    /// Waits until the status of an Instance, as it is now, says this.
    async fn until_status(&self, name: &str, pointer: &str, value: &str) -> Result<Value> {
        self.until(&format!("{pointer} of {name} is {value}"), || async {
            let object = self.of_name(name).await?.context("it is gone")?;
            let status = &object["status"];
            let is = status.pointer(pointer).is_some_and(|v| v == value);
            let current = status["observedGeneration"] == object["metadata"]["generation"];
            Ok((is && current).then_some(object))
        })
        .await
    }

    /// What a shell command in a pod of a story says.
    async fn exec(&self, ns: &str, pod: &str, command: &str) -> Result<Said> {
        let words = [
            "kubectl", "exec", "-n", ns, pod, "--", "busybox", "sh", "-c", command,
        ];
        self.run(&words, None).await
    }

    /// The reasons of the Events about an Instance.
    async fn told(&self, name: &str) -> Result<Vec<String>> {
        let list = self.get("events", "default").await?.unwrap_or_default();
        let events = list["items"].as_array().cloned().unwrap_or_default();
        let about = |event: &&Value| {
            event["involvedObject"]["name"] == name && event["involvedObject"]["kind"] == "Instance"
        };
        let reasons = events
            .iter()
            .filter(about)
            .filter_map(|event| event["reason"].as_str());
        Ok(reasons.map(str::to_owned).collect())
    }

    /// The UIDs of all objects of some kinds in a namespace.
    async fn uids(&self, kinds: &str, ns: &str) -> Result<Vec<String>> {
        let said = self
            .kubectl(&format!(
                "get {kinds} -n {ns} -o jsonpath={{.items[*].metadata.uid}}"
            ))
            .await?;
        Ok(said.split_whitespace().map(str::to_owned).collect())
    }

    /// Starts an operator anew and waits until it works. `rollout restart` would leave a mark that Flux takes for a change by hand.
    async fn restart_operator(&self) -> Result<()> {
        self.kubectl("delete pods -l app.kubernetes.io/name=roadstead -n roadstead-system")
            .await?;
        self.kubectl("rollout status deploy/roadstead -n roadstead-system --timeout=180s")
            .await?;
        Ok(())
    }
}

/// A condition of an object by its type.
fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|c| c["type"] == type_)
}

/// That the conditions of an object are for its present generation.
fn ensure_current(object: &Value) -> Result<()> {
    let conditions = object["status"]["conditions"]
        .as_array()
        .context("there are no conditions")?;
    for condition in conditions {
        let same = condition["observedGeneration"] == object["metadata"]["generation"];
        ensure!(same, "{condition} is for another generation");
    }
    Ok(())
}
