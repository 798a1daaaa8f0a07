//! What the shell offers while a command is typed: names of objects, from the cluster that the line so far means.

use std::{ffi::OsStr, time::Duration};

use clap::Parser;
use clap_complete::CompletionCandidate;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt, api::ListParams, config::Kubeconfig};

use super::{
    scope::{Cluster, Scope},
    target::{SWITCHABLE, ours, short},
};
use crate::kinds::Of;

/// Nobody waits longer for a suggestion.
const PATIENCE: Duration = Duration::from_secs(2);

/// The flags of the line so far that say which cluster and namespace; all else is passed over.
#[derive(Debug, Parser)]
#[command(ignore_errors = true, disable_help_flag = true, no_binary_name = true)]
struct Line {
    #[command(flatten)]
    scope: Scope,
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    rest: Vec<String>,
}

/// Names of environments.
pub fn environments(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Environment, current)
}

/// Names of applications.
pub fn applications(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Application, current)
}

/// Names of releases.
pub fn releases(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Release, current)
}

/// Names of cronjobs.
pub fn cronjobs(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Cronjob, current)
}

/// What can be run: cronjobs, and environments for a command.
pub fn runnable(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = cronjobs(current);
    all.extend(environments(current));
    all
}

/// What can be copied: environments, and applications by their kind.
pub fn copyable(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = environments(current);
    all.extend(qualified(&[Of::Application, Of::Environment], current));
    all
}

/// Names of services.
pub fn services(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Service, current)
}

/// Names of backups.
pub fn backups(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Backup, current)
}

/// Names of restores.
pub fn restores(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Restore, current)
}

/// What can be backed up.
pub fn backed_up(current: &OsStr) -> Vec<CompletionCandidate> {
    qualified(&[Of::Service, Of::Environment], current)
}

/// Names of Instances.
pub fn instances(current: &OsStr) -> Vec<CompletionCandidate> {
    bare(Of::Instance, current)
}

/// Any object of ours.
pub fn objects(current: &OsStr) -> Vec<CompletionCandidate> {
    let kinds: Vec<Of> = ours().map(|entry| entry.of).collect();
    qualified(&kinds, current)
}

/// What stops and starts.
pub fn switchable(current: &OsStr) -> Vec<CompletionCandidate> {
    qualified(SWITCHABLE, current)
}

/// What writes logs.
pub fn logged(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = environments(current);
    all.extend(qualified(&[Of::Cronjob, Of::Release, Of::Service], current));
    all
}

/// Names of namespaces.
pub fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |cluster: Cluster| {
        let api: Api<Namespace> = Api::all(cluster.client);
        let list = api.list_metadata(&ListParams::default()).await;
        let list = list.map(|list| list.items).unwrap_or_default();
        list.iter().map(ResourceExt::name_any).collect()
    });
    starting_with(current, names)
}

/// Contexts of the kubeconfig.
pub fn contexts(current: &OsStr) -> Vec<CompletionCandidate> {
    let file = match scope().kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let contexts = file.map(|file| file.contexts).unwrap_or_default();
    starting_with(current, contexts.into_iter().map(|c| c.name).collect())
}

fn bare(of: Of, current: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |cluster: Cluster| cluster.names(of).await.unwrap_or_default());
    starting_with(current, names)
}

/// First the kind, then, behind the slash, the name.
fn qualified(kinds: &[Of], current: &OsStr) -> Vec<CompletionCandidate> {
    let text = current.to_string_lossy();
    let Some((kind, _)) = text.split_once('/') else {
        let words = kinds.iter().map(|of| format!("{}/", short(of.entry())));
        return starting_with(current, words.collect());
    };
    let Some(of) = super::target::kind_of(kind).filter(|of| kinds.contains(of)) else {
        return Vec::new();
    };
    let names = ask(async |cluster: Cluster| cluster.names(of).await.unwrap_or_default());
    let names = names.into_iter().map(|name| format!("{kind}/{name}"));
    starting_with(current, names.collect())
}

fn starting_with(current: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    names
        .into_iter()
        .filter(|name| name.starts_with(&*current))
        .map(CompletionCandidate::new)
        .collect()
}

/// The flags that the line so far has, whatever verb they stand behind.
fn scope() -> Scope {
    let words: Vec<String> = std::env::args().skip(1).collect();
    scope_of(&words)
}

fn scope_of(words: &[String]) -> Scope {
    let with_value = [
        "-n",
        "--namespace",
        "--instance",
        "--context",
        "--kubeconfig",
    ];
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if !with_value.contains(&name) {
            continue;
        }
        flags.push(word.clone());
        if !word.contains('=') {
            flags.extend(words.next().cloned());
        }
    }
    match Line::try_parse_from(flags) {
        Ok(line) => line.scope,
        Err(_) => Scope::default(),
    }
}

/// Asks the cluster, for as long as somebody at a keyboard waits. No answer is no suggestion.
fn ask(question: impl AsyncFnOnce(Cluster) -> Vec<String>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    runtime.block_on(async {
        let answer = async {
            match scope().connect().await {
                Ok(cluster) => question(cluster).await,
                Err(_) => Vec::new(),
            }
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Scope {
        let words: Vec<String> = text.split(' ').map(ToOwned::to_owned).collect();
        scope_of(&words)
    }

    #[test]
    fn the_flags_count_wherever_they_stand() {
        let scope =
            line("-- kubectl-roadstead release -n instance-acme --adopt x --context dev shop-");
        assert_eq!(scope.namespace.as_deref(), Some("instance-acme"));
        assert_eq!(scope.context.as_deref(), Some("dev"));
        assert_eq!(
            line("why --instance=acme renv/").asked().as_deref(),
            Some("instance-acme")
        );
    }

    #[test]
    fn an_unfinished_flag_is_no_reason_to_fail() {
        assert_eq!(line("why -n").asked(), None);
    }

    #[test]
    fn kinds_come_first() {
        let offered: Vec<String> = switchable(OsStr::new("m"))
            .iter()
            .map(|c| c.get_value().to_string_lossy().into_owned())
            .collect();
        assert_eq!(offered, ["msvc/"]);
    }
}
