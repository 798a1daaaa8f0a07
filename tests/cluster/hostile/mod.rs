//! Hostile tenants: people with the roles of one Instance try every way out of it. Each attempt meets a refusal, or a harmless end that
//! is stated, and where it is refused something that is like it is not.

mod forged;
mod reach;
mod rights;

pub use forged::*;
pub use reach::*;
pub use rights::*;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::world::{Said, World};

/// Two Instances, and people with roles in the first of them.
pub struct Two {
    /// The namespace in which they have roles.
    mine: String,
    /// The namespace in which they have none.
    theirs: String,
    /// Who has the role Developer.
    dora: String,
    /// Who has the role Admin.
    adam: String,
}

impl Two {
    /// Makes both, with names that begin with this word.
    async fn begin(world: &World, word: &str) -> Result<Self> {
        let (a, b) = (format!("{word}-mine"), format!("{word}-theirs"));
        let (mine, theirs) = (world.instance(&a).await?, world.instance(&b).await?);
        let two = Self {
            mine,
            theirs,
            dora: format!("{word}-dora"),
            adam: format!("{word}-adam"),
        };
        let access = format!(
            r#"{{"spec":{{"access":[{{"kind":"User","name":"{}","role":"Developer"}},{{"kind":"User","name":"{}","role":"Admin"}}]}}}}"#,
            two.dora, two.adam
        );
        let object = format!("rinst/{a}");
        let words = ["kubectl", "patch", &object, "--type=merge", "-p", &access];
        world.run(&words, None).await?.ok("access")?;
        for who in [&two.dora, &two.adam] {
            world
                .until(&format!("{who} may develop"), || async {
                    let words = format!("auth can-i patch rapp -n {} --as={who}", two.mine);
                    Ok((world.try_kubectl(&words).await?.code == 0).then_some(()))
                })
                .await?;
        }
        Ok(two)
    }

    /// Has both ended, and waits for neither.
    async fn end(&self, world: &World) -> Result<()> {
        if std::env::var_os("KEEP").is_some() {
            return Ok(());
        }
        for ns in [&self.mine, &self.theirs] {
            let name = ns.trim_start_matches("instance-");
            let confirm = format!("annotate rinst {name} roadstead.dev/confirm-delete={name}");
            world.kubectl(&confirm).await?;
            world
                .kubectl(&format!("delete rinst {name} --wait=false"))
                .await?;
        }
        Ok(())
    }

    /// The words with these names in them: `DORA` and `ADAM` for people, `MINE` and `THEIRS` for namespaces.
    fn named(&self, text: &str) -> String {
        text.replace("DORA", &format!("--as={}", self.dora))
            .replace("ADAM", &format!("--as={}", self.adam))
            .replace("MINE", &self.mine)
            .replace("THEIRS", &self.theirs)
    }

    /// What kubectl says to these words with these names in them.
    async fn say(&self, world: &World, words: &str, input: &str) -> Result<Said> {
        let (words, input) = (self.named(words), self.named(input));
        let mut all = vec!["kubectl"];
        all.extend(words.split_whitespace());
        world.run(&all, Some(&input)).await
    }

    /// The same, which must succeed.
    async fn done(&self, world: &World, words: &str, input: &str) -> Result<String> {
        self.say(world, words, input).await?.ok(words)
    }

    /// Each attempt: words for kubectl with a text for it, and with what it is refused; or nothing, if it is not.
    async fn attempt(&self, world: &World, all: &[(&str, &str, Option<&str>)]) -> Result<()> {
        let mut wrong = Vec::new();
        for (words, input, answer) in all {
            let said = self.say(world, words, input).await?;
            let judged = match answer {
                Some(part) => said.refused(part),
                None => said.ok("it should be accepted").map(|_| ()),
            };
            if let Err(error) = judged {
                wrong.push(format!("{words}\n{input}\n{error:?}"));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        bail!("{} attempts:\n{}", wrong.len(), wrong.join("\n\n"))
    }
}

/// What stands in the way of an object, each as one word.
async fn blockers(world: &World, what: &str, ns: &str) -> Result<Vec<String>> {
    let blockers = world.at(what, ns, "/status/blockers").await?;
    let all = blockers.as_array().into_iter().flatten();
    Ok(all
        .filter_map(|b| b["what"].as_str().map(str::to_owned))
        .collect())
}

/// Waits until this, and perhaps more, stands in the way of an object.
async fn until_blocked(world: &World, what: &str, ns: &str, by: &str) -> Result<()> {
    let waited = format!("{what} is blocked by {by}");
    let blocked = world.until(&waited, || async {
        let all = blockers(world, what, ns).await?;
        Ok(all.iter().any(|word| word.starts_with(by)).then_some(()))
    });
    match blocked.await {
        Ok(()) => Ok(()),
        Err(error) => {
            let status: Value = world.at(what, ns, "/status").await?;
            bail!("{error}: {status}")
        }
    }
}

/// An Application that answers on port 8000.
fn toy(name: &str) -> String {
    format!(
        "---\napiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n  \
         image: docker.io/library/busybox:1.36\n  port: 8000\n  \
         containers: [{{name: web, kind: Web, command: [busybox, httpd, -f, -p, \"8000\", -h, /etc]}}]\n"
    )
}

/// An object of ours, with its spec in one line.
fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: roadstead.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}
