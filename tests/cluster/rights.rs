//! The operator's rights: each that the chart asks for is used by some story, as the API server's own audit log has it.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context, Result, ensure};
use devcluster::Options;
use serde_json::Value;

/// Who is looked at.
const OPERATOR: &str = "system:serviceaccount:roadstead-system:roadstead";
/// Which verbs the stories need, for each resource.
const TABLE: &str = include_str!("../../deploy/permissions.md");

/// The log of what the operator asked for.
pub struct Rights {
    folder: tempfile::TempDir,
}

impl Rights {
    /// Has the API server write down every request of the operator's.
    pub fn recorded(options: Options) -> Result<(Self, Options)> {
        let folder = tempfile::tempdir()?;
        let policy = folder.path().join("policy.yaml");
        let rules = format!(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n\
             - {{level: Metadata, users: [\"{OPERATOR}\"]}}\n- {{level: None}}\n"
        );
        std::fs::write(&policy, rules)?;
        let rights = Self { folder };
        let options = options
            .api_server_flag(format!("--audit-policy-file={}", policy.display()))
            .api_server_flag(format!("--audit-log-path={}", rights.log().display()));
        Ok((rights, options))
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// Whether each right was used, once all stories have been played.
    pub fn verdict(&self) -> Result<()> {
        let log = std::fs::read_to_string(self.log()).context("there is no audit log")?;
        let used: BTreeSet<String> = log.lines().flat_map(asked_for).collect();
        let granted = granted(TABLE);
        ensure!(granted.len() > 50, "the table of permissions is empty");
        let idle: Vec<&String> = granted.difference(&used).collect();
        ensure!(
            idle.is_empty(),
            "no story needs these rights of the operator's; take them from the chart, or tell the story:\n{idle:#?}"
        );
        Ok(())
    }
}

/// The rights that the table says are needed, each as `verb resource.group`.
fn granted(table: &str) -> BTreeSet<String> {
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (resource, verbs) = (*cells.get(2)?, *cells.get(3)?);
        let is_row = cells.get(1)?.contains("Role ");
        is_row.then(|| {
            verbs
                .split_whitespace()
                .map(move |verb| format!("{verb} {resource}"))
        })
    });
    rows.flatten().collect()
}

/// The rights that a request needed. An apply that makes its object needs two.
fn asked_for(line: &str) -> Vec<String> {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let word = |at: &str| {
        event
            .pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let code = event
        .pointer("/responseStatus/code")
        .and_then(Value::as_u64);
    if code == Some(403) {
        return Vec::new();
    }
    let mut what = word("/objectRef/resource").to_owned();
    for (sign, at) in [
        ("/", "/objectRef/subresource"),
        (".", "/objectRef/apiGroup"),
    ] {
        if !word(at).is_empty() {
            what.push_str(sign);
            what.push_str(word(at));
        }
    }
    let verb = word("/verb");
    let made = (verb == "patch" && code == Some(201)).then(|| format!("create {what}"));
    std::iter::once(format!("{verb} {what}"))
        .chain(made)
        .collect()
}
