//! Which Environments a verb is about: those that are named, or those that are chosen by what they are of and how they are.

use std::collections::BTreeSet;

use clap::ValueEnum;
use clap_complete::ArgValueCompleter;
use kube::{ResourceExt, api::ListParams};

use super::{complete, fail::Failure, scope::Cluster, target::Target};
use crate::{
    api::{Application, Environment, application::CopyType},
    kinds::Of,
};

/// The words of `status.state`.
const STATES: [&str; 7] = [
    "never-deployed",
    "deploying",
    "running",
    "stopped",
    "restoring",
    "degraded",
    "failed",
];

/// Which Environments are meant.
#[derive(Debug, Default, clap::Args)]
pub struct Choice {
    /// The environments
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environments: Vec<String>,
    /// All environments of this application
    #[arg(long, value_name = "NAME", conflicts_with = "environments", add = ArgValueCompleter::new(complete::applications))]
    pub application: Option<String>,
    /// And those of its mirrors
    #[arg(long, requires = "application")]
    pub with_mirrors: bool,
    /// All environments with these labels
    #[arg(
        short = 'l',
        long,
        value_name = "LABELS",
        conflicts_with = "environments"
    )]
    pub selector: Option<String>,
    /// All environments with this slug, such as the stage test of every application
    #[arg(long, value_name = "SLUG", conflicts_with = "environments")]
    pub slug: Option<String>,
    /// Only environments in one of these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = STATES)]
    pub state: Vec<String>,
    /// Only environments whose newest release failed
    #[arg(long)]
    pub failed: bool,
    /// Only environments with changes that wait for a release
    #[arg(long)]
    pub pending: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "environments")]
    pub limit: Option<u32>,
    /// Which come first
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ORDER",
        conflicts_with = "environments"
    )]
    pub order_by: Order,
}

/// Which environments come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// By name
    #[default]
    Name,
    /// The oldest first
    Age,
}

impl Choice {
    /// This one environment.
    pub fn one(name: String) -> Self {
        Self {
            environments: vec![name],
            ..Self::default()
        }
    }

    /// The environments that are meant, in order.
    pub async fn names(&self, cluster: &Cluster) -> Result<Vec<String>, Failure> {
        if !self.environments.is_empty() {
            return self.named(cluster).await;
        }
        if self.is_everything() {
            return Err(Failure::usage(
                "no environment is named",
                "name some, or choose with --application, --selector, --slug, --state, --failed, --pending or --limit",
            ));
        }
        let related = match &self.application {
            Some(name) => Some(related(cluster, name, self.with_mirrors).await?),
            None => None,
        };
        let mut params = ListParams::default();
        params.label_selector.clone_from(&self.selector);
        let list = cluster.api::<Environment>().list(&params).await;
        let all = list.map_err(|e| Failure::from_api(&e, "list environments"))?;
        Ok(self.matching(related.as_ref(), all.items))
    }

    async fn named(&self, cluster: &Cluster) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for text in &self.environments {
            let target = Target::parse(text, &[Of::Environment])?;
            let found: Environment = cluster.get(target.of, &target.name).await?;
            if self.takes(&found) {
                names.push(target.name);
            }
        }
        Ok(names)
    }

    /// Whether nothing at all is said: nobody means that.
    fn is_everything(&self) -> bool {
        let of = [&self.application, &self.selector, &self.slug];
        of.into_iter().all(Option::is_none)
            && self.state.is_empty()
            && !self.failed
            && !self.pending
            && self.limit.is_none()
    }

    fn matching(
        &self,
        related: Option<&BTreeSet<String>>,
        mut all: Vec<Environment>,
    ) -> Vec<String> {
        all.retain(|environment| {
            let application = &environment.spec.application_ref.name;
            let is_of = related.is_none_or(|related| related.contains(application));
            is_of && self.takes(environment)
        });
        all.sort_by_key(ResourceExt::name_any);
        if self.order_by == Order::Age {
            all.sort_by_key(|e| e.metadata.creation_timestamp.as_ref().map(|t| t.0));
        }
        all.truncate(self.limit.map_or(usize::MAX, |n| n as usize));
        all.iter().map(ResourceExt::name_any).collect()
    }

    /// Whether an environment is as it is asked for.
    fn takes(&self, environment: &Environment) -> bool {
        let status = environment.status.clone().unwrap_or_default();
        let named = environment.name_any();
        let slug = environment.spec.slug.as_deref().unwrap_or(&named);
        let state = status.state.as_deref().unwrap_or("never-deployed");
        let mut conditions = status.conditions.iter();
        let failed = conditions.any(|c| c.type_ == "Released" && c.reason == "ReleaseFailed");
        self.slug.as_ref().is_none_or(|wanted| wanted == slug)
            && (self.state.is_empty() || self.state.iter().any(|wanted| wanted == state))
            && (failed || !self.failed)
            && (!status.pending_changes.is_empty() || !self.pending)
    }
}

/// An application and, where they are wanted too, its mirrors.
pub async fn related(
    cluster: &Cluster,
    application: &str,
    with_mirrors: bool,
) -> Result<BTreeSet<String>, Failure> {
    let _: Application = cluster.get(Of::Application, application).await?;
    let mut names = BTreeSet::from([application.to_owned()]);
    if with_mirrors {
        let all: Vec<Application> = cluster.list(Of::Application).await?;
        names.extend(mirrors(&all, application));
    }
    Ok(names)
}

fn mirrors(all: &[Application], of: &str) -> Vec<String> {
    let mirrors = all.iter().filter(|one| {
        let copy = one.spec.copy_from.as_ref();
        copy.is_some_and(|c| c.type_ == CopyType::Mirror && c.application_ref.name == of)
    });
    mirrors.map(ResourceExt::name_any).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(name: &str, application: &str, born: &str, pending: bool) -> Environment {
        let changes = if pending {
            json!([{"path": "image", "change": "Modified", "impact": "Restart"}])
        } else {
            json!([])
        };
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Environment",
            "metadata": {"name": name, "creationTimestamp": born},
            "spec": {"applicationRef": {"name": application}},
            "status": {"pendingChanges": changes, "state": "running"},
        }))
        .unwrap()
    }

    fn three() -> Vec<Environment> {
        vec![
            environment("c", "shop", "2026-11-20T00:00:00Z", true),
            environment("a", "shop", "2026-11-22T00:00:00Z", false),
            environment("b", "blog", "2026-11-21T00:00:00Z", true),
        ]
    }

    fn chosen(choice: &Choice) -> Vec<String> {
        let of = |name: &String| BTreeSet::from([name.clone()]);
        choice.matching(choice.application.as_ref().map(of).as_ref(), three())
    }

    /// proves: DV-173
    #[test]
    fn environments_are_chosen_by_application_and_by_what_waits() {
        let of_shop = Choice {
            application: Some("shop".into()),
            ..Choice::default()
        };
        assert_eq!(chosen(&of_shop), ["a", "c"]);
        let pending = Choice {
            pending: true,
            ..Choice::default()
        };
        assert_eq!(chosen(&pending), ["b", "c"]);
        let both = BTreeSet::from(["shop".to_owned(), "blog".to_owned()]);
        assert_eq!(of_shop.matching(Some(&both), three()), ["a", "b", "c"]);
    }

    /// proves: DV-173
    #[test]
    fn environments_are_chosen_by_slug_state_and_failure() {
        let mut failed = environment("d", "shop", "2026-11-22T00:00:00Z", false);
        failed.spec.slug = Some("test".into());
        let status = json!({"state": "degraded", "conditions": [
            {"type": "Released", "status": "False", "reason": "ReleaseFailed", "message": "", "lastTransitionTime": ""},
        ]});
        failed.status = serde_json::from_value(status).unwrap();
        let all = || three().into_iter().chain([failed.clone()]).collect();
        let by_slug = Choice {
            slug: Some("test".into()),
            ..Choice::default()
        };
        let by_state = Choice {
            state: vec!["degraded".into(), "failed".into()],
            ..Choice::default()
        };
        let by_failure = Choice {
            failed: true,
            ..Choice::default()
        };
        for choice in [by_slug, by_state, by_failure] {
            assert!(!choice.is_everything());
            assert_eq!(choice.matching(None, all()), ["d"], "{choice:?}");
        }
        assert!(Choice::default().is_everything());
    }

    #[test]
    fn the_oldest_comes_first_when_asked() {
        let by_age = Choice {
            order_by: Order::Age,
            ..Choice::default()
        };
        assert_eq!(chosen(&by_age), ["c", "b", "a"]);
    }

    /// proves: DV-174
    #[test]
    fn the_limit_takes_the_first_in_order() {
        let two = Choice {
            limit: Some(2),
            ..Choice::default()
        };
        assert_eq!(chosen(&two), ["a", "b"]);
        assert!(!two.is_everything());
    }
}
