//! Services: how a database comes up, stops, changes its password and goes.

mod ending;
mod life;
mod password;

pub use ending::*;
pub use life::*;
pub use password::*;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::{Said, World};

/// A Service of a class, with more lines of its spec.
fn service(name: &str, class: &str, more: &str) -> String {
    format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec:\n  classRef: {{name: {class}}}\n{more}"
    )
}

/// A Service of a story, in its namespace.
pub struct Engine<'a> {
    /// Where it is.
    pub world: &'a World,
    /// Its namespace.
    pub ns: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Engine<'a> {
    /// A Service that is declared and comes up.
    pub async fn ready(
        world: &'a World,
        ns: &'a str,
        name: &'a str,
        class: &str,
        more: &str,
    ) -> Result<Self> {
        world.apply_in(ns, &service(name, class, more)).await?;
        world
            .condition(&format!("msvc/{name}"), ns, "Ready")
            .await?;
        Ok(Self { world, ns, name })
    }

    /// Lays a merge patch over it.
    pub async fn patch(&self, patch: &str) -> Result<Said> {
        let object = format!("msvc/{}", self.name);
        let words = [
            "kubectl",
            "patch",
            &object,
            "-n",
            self.ns,
            "--type=merge",
            "-p",
            patch,
        ];
        self.world.run(&words, None).await
    }

    /// Waits until its state is this.
    pub async fn until(&self, state: &str) -> Result<()> {
        let object = format!("msvc/{}", self.name);
        self.world
            .until(&format!("{} is {state}", self.name), || async {
                let said = self.world.at(&object, self.ns, "/status/state").await?;
                Ok((said == state).then_some(()))
            })
            .await
    }

    /// A value of its status.
    pub async fn status(&self, pointer: &str) -> Result<Value> {
        let object = format!("msvc/{}", self.name);
        let pointer = format!("/status{pointer}");
        self.world.at(&object, self.ns, &pointer).await
    }

    /// The UID of its pod and how often its engine was started again.
    pub async fn pod(&self) -> Result<(Value, Value)> {
        let object = format!("pod/{}-0", self.name);
        let pod = self.world.get(&object, self.ns).await?;
        let pod = pod.context("it has no pod")?;
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        Ok((pod["metadata"]["uid"].clone(), restarts.clone()))
    }

    /// A key of the Secret that consumers read.
    pub async fn credential(&self, key: &str) -> Result<String> {
        let words = format!(
            "get secret {}-credentials -n {} -o go-template={{{{.data.{key}|base64decode}}}}",
            self.name, self.ns
        );
        self.world.kubectl(&words).await
    }

    /// What a shell command in its pod says.
    pub async fn exec(&self, command: &str) -> Result<Said> {
        let pod = format!("{}-0", self.name);
        let words = [
            "kubectl", "exec", "-n", self.ns, &pod, "--", "sh", "-c", command,
        ];
        self.world.run(&words, None).await
    }

    /// What the database says to a statement, over the network and with this password.
    pub async fn sql(&self, password: &str, statement: &str) -> Result<Said> {
        let object = format!("pod/{}-0", self.name);
        let address = self.world.at(&object, self.ns, "/status/podIP").await?;
        let address = address.as_str().context("its pod has no address")?;
        self.exec(&format!(
            "PGPASSWORD={password} psql -h {address} -U app -d app -Atqc \"{statement}\""
        ))
        .await
    }
}

/// That the administrator cannot delete it, and why.
async fn ensure_guarded(engine: &Engine<'_>, why: &str) -> Result<()> {
    let words = format!("delete msvc {} -n {} --wait=false", engine.name, engine.ns);
    engine.world.try_kubectl(&words).await?.refused(why)?;
    let object = format!("msvc/{}", engine.name);
    let deleting = engine
        .world
        .at(&object, engine.ns, "/metadata/deletionTimestamp")
        .await?;
    ensure!(deleting.is_null(), "it is being deleted all the same");
    Ok(())
}
