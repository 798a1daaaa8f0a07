//! What the API server must accept and refuse: one file for every rule, `admit/<kind>/{ok,bad}-<why>.yaml`.
//!
//! The last document of a file is the one that counts; those before it are applied first, so that changes can be tried. A `bad`
//! file's first line is `# expect: <part of the message>`. Every `bad-<why>` has an `ok-<why>` that differs in what is tried.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::world::World;

/// One file.
pub struct Case {
    kind: String,
    why: String,
    text: String,
}

/// Every file.
pub fn cases() -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/admit");
    let mut cases: Vec<Case> = walk(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| Case {
            kind: path
                .parent()
                .and_then(|p| p.file_name())
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            why: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            text: fs::read_to_string(&path).unwrap_or_default(),
        })
        .collect();
    cases.sort_by_key(Case::name);
    cases
}

fn walk(folder: &PathBuf) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|e| e.path());
    paths
        .flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] })
        .collect()
}

impl Case {
    /// `admit::<kind>::<ok or bad and why>`.
    pub fn name(&self) -> String {
        format!("admit::{}::{}", self.kind, self.why)
    }

    /// Applies the file and compares what the API server says.
    pub async fn run(self, world: World) -> Result<()> {
        let ns = world.shared_instance().await?;
        let name = format!("{}-{}", self.kind.replace('_', "-"), self.why);
        let documents: Vec<String> = self
            .text
            .split("\n---\n")
            .map(|d| d.replace("NAMESPACE", &ns))
            .filter(|d| {
                d.lines()
                    .any(|l| !l.trim().is_empty() && !l.starts_with('#'))
            })
            .collect();
        let (last, before) = documents
            .split_last()
            .with_context(|| format!("{name} is empty"))?;
        for document in before {
            world.apply_in(&ns, document).await?;
        }
        let said = world
            .run(
                &["kubectl", "apply", "-n", &ns, "--dry-run=server", "-f", "-"],
                Some(last),
            )
            .await?;
        for document in before.iter().rev() {
            world
                .run(
                    &["kubectl", "delete", "-n", &ns, "--wait=false", "-f", "-"],
                    Some(document),
                )
                .await?;
        }
        if self.why.starts_with("ok-") {
            ensure!(
                said.code == 0,
                "refused, but should be accepted:\n{}",
                said.err
            );
            return Ok(());
        }
        let expected = self
            .text
            .lines()
            .next()
            .and_then(|l| l.strip_prefix("# expect: "));
        match expected {
            Some(part) => said.refused(part.trim()),
            None => bail!("the first line of a bad file is `# expect: <part of the message>`"),
        }
    }
}
