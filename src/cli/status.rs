//! `status`: what runs here.

use std::collections::BTreeSet;

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    choice::related,
    complete,
    fail::Failure,
    progress::note,
    scope::{Cluster, Scope},
    show::{Output, distance, or_dash, print, wrapped},
    standing::{Standing, blockers, oddities, state},
    target::resource,
};
use crate::kinds::Of;

/// Where to look.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "instance"])]
    pub all_namespaces: bool,
    /// Only what is of this application
    #[arg(long, value_name = "NAME", conflicts_with = "all_namespaces", add = ArgValueCompleter::new(complete::applications))]
    pub application: Option<String>,
    /// And of its mirrors
    #[arg(long, requires = "application")]
    pub with_mirrors: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
With kubectl alone:
  kubectl get roadstead
  kubectl get renv,msvc,acj,rel -A -o wide
  kubectl get renv --field-selector spec.applicationRef.name=shop
  kubectl get rapp --field-selector spec.copyFrom.applicationRef.name=shop,spec.copyFrom.type=Mirror";

/// What runs: everything that there is of these kinds, and the releases under way.
#[derive(Debug, Default, Serialize)]
struct Overview {
    environments: Vec<Row>,
    services: Vec<Row>,
    cronjobs: Vec<Row>,
    releases: Vec<Row>,
}

/// One object, in the words of its status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    name: String,
    state: Option<String>,
    ready: bool,
    standing: &'static str,
    waits_for: Vec<String>,
    oddities: Vec<String>,
    #[serde(skip)]
    object: DynamicObject,
}

/// Shows it.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let cluster = scope.connect().await?;
    scope.instance_is_there(&cluster).await?;
    let list = |of| rows(&cluster, of, args.all_namespaces);
    let mut overview = Overview {
        environments: list(Of::Environment).await?,
        services: list(Of::Service).await?,
        cronjobs: list(Of::Cronjob).await?,
        releases: list(Of::Release).await?,
    };
    overview.releases.retain(is_under_way);
    if let Some(application) = &args.application {
        overview.keep(&related(&cluster, application, args.with_mirrors).await?);
    }
    if !scope.output.is_for_people() {
        return print(&scope.output.render(&overview)?);
    }
    let text = overview.text(scope.output, args.all_namespaces, Timestamp::now());
    if text.is_empty() {
        let place = if args.all_namespaces {
            "in any namespace".to_owned()
        } else {
            format!("in namespace {}", cluster.namespace)
        };
        note(&format!(
            "nothing runs {place}: see others with -A, -n or --instance"
        ));
    }
    print(&text)
}

async fn rows(cluster: &Cluster, of: Of, everywhere: bool) -> Result<Vec<Row>, Failure> {
    let entry = of.entry();
    let (api, place) = if everywhere {
        let api = Api::all_with(cluster.client.clone(), &resource(entry));
        (api, "all namespaces".to_owned())
    } else {
        (cluster.dynamic(of), cluster.namespace.clone())
    };
    let list = api.list(&ListParams::default()).await;
    let doing = || format!("list {} in {place}", entry.plural);
    let list = list.map_err(|e| Failure::from_api(&e, &doing()))?;
    let mut rows: Vec<Row> = list.items.into_iter().map(Row::of).collect();
    rows.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(rows)
}

fn is_under_way(row: &Row) -> bool {
    !matches!(
        row.state.as_deref(),
        Some("Succeeded" | "Failed" | "Superseded")
    )
}

impl Row {
    fn of(object: DynamicObject) -> Self {
        let standing = Standing::of(&object);
        let mut waits_for: Vec<String> = blockers(&object).into_iter().map(|b| b.what).collect();
        if waits_for.is_empty() && matches!(standing, Standing::Stalled(_)) {
            waits_for.extend(standing.condition().map(|c| c.reason.clone()));
        }
        Self {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
            state: state(&object).map(ToOwned::to_owned),
            ready: standing.is_ready(),
            standing: standing.word(),
            waits_for,
            oddities: oddities(&object).into_iter().map(|c| c.message).collect(),
            object,
        }
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.object.data.pointer(pointer)
    }

    fn text(&self, pointer: &str) -> String {
        match self.at(pointer) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn items(&self, pointer: &str) -> &[Value] {
        self.at(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn waits(&self) -> String {
        self.waits_for.join(", ")
    }

    /// What it waits for and what is odd about it, as lines under the table: in a column they would break everything else.
    fn hindrance(&self, everywhere: bool) -> String {
        let place = match self.namespace.as_str() {
            namespace if everywhere => format!(" in {namespace}"),
            _ => String::new(),
        };
        let mut text = String::new();
        if !self.waits_for.is_empty() {
            let waits = self.waits_for.join("\n    and ");
            text = format!("  {}{place} waits for {waits}\n", self.name);
        }
        for odd in &self.oddities {
            text.push_str(&wrapped(&format!("{}{place}: {odd}", self.name)));
        }
        text
    }

    /// Replicas that run, of all there are. Those that end no longer count.
    fn replicas(&self) -> String {
        let all = self.items("/status/replicas").iter();
        let is = |r: &&Value, state| r.get("state").is_some_and(|s| s == state);
        let all: Vec<&Value> = all.filter(|r| !is(r, "stopping")).collect();
        let runs = |r: &&&Value| is(r, "running");
        if all.is_empty() {
            return "0".to_owned();
        }
        format!("{}/{}", all.iter().filter(runs).count(), all.len())
    }

    /// How the last run ended.
    fn last_run(&self, now: Timestamp) -> String {
        let Some(run) = self.items("/status/lastRuns").first() else {
            return "-".to_owned();
        };
        let text = |key| run.get(key).and_then(Value::as_str);
        let Some(finished) = text("finishedAt") else {
            return "now".to_owned();
        };
        let ago = distance(Some(finished), now);
        match run.get("exitCode").and_then(Value::as_i64) {
            Some(0) => format!("ok, {ago} ago"),
            Some(code) => format!("exit {code}, {ago} ago"),
            None => format!("{}, {ago} ago", text("result").unwrap_or("failed")),
        }
    }
}

/// A column: its heading, whether only the wide table has it, and what stands in it.
type Column = (&'static str, bool, fn(&Row, Timestamp) -> String);

const ENVIRONMENTS: &[Column] = &[
    ("ENVIRONMENT", false, |r, _| r.name.clone()),
    ("STATE", false, |r, _| or_dash(r.state.as_ref())),
    ("READY", false, |r, _| r.standing.to_owned()),
    ("RELEASE", false, |r, _| r.text("/status/currentRelease")),
    ("REPLICAS", false, |r, _| r.replicas()),
    ("PENDING", true, |r, _| {
        r.items("/status/pendingChanges").len().to_string()
    }),
    ("APPLICATION", true, |r, _| {
        r.text("/spec/applicationRef/name")
    }),
    ("URL", true, |r, _| r.text("/status/url")),
    ("WAITS FOR", true, |r, _| r.waits()),
];

const SERVICES: &[Column] = &[
    ("SERVICE", false, |r, _| r.name.clone()),
    ("STATE", false, |r, _| or_dash(r.state.as_ref())),
    ("READY", false, |r, _| r.standing.to_owned()),
    ("CLASS", false, |r, _| r.text("/spec/classRef/name")),
    ("TIER", true, |r, _| r.text("/spec/tier")),
    ("ENDPOINT", true, |r, _| r.text("/status/endpoints/0/host")),
    ("WAITS FOR", true, |r, _| r.waits()),
];

const CRONJOBS: &[Column] = &[
    ("CRONJOB", false, |r, _| r.name.clone()),
    ("STATE", false, |r, _| or_dash(r.state.as_ref())),
    ("NEXT", false, |r, now| {
        let next = r.at("/status/nextRunAt").and_then(Value::as_str);
        match distance(next, now).as_str() {
            "-" => "-".to_owned(),
            away => format!("in {away}"),
        }
    }),
    ("LAST RUN", false, |r, now| r.last_run(now)),
    ("ENVIRONMENT", true, |r, _| {
        r.text("/spec/environmentRef/name")
    }),
    ("WAITS FOR", true, |r, _| r.waits()),
];

const RELEASES: &[Column] = &[
    ("RELEASE UNDER WAY", false, |r, _| r.name.clone()),
    ("ENVIRONMENT", true, |r, _| {
        r.text("/spec/environmentRef/name")
    }),
    ("PHASE", false, |r, _| or_dash(r.state.as_ref())),
    ("PERCENT", false, |r, _| r.text("/status/percent")),
    ("SINCE", false, |r, now| {
        distance(r.at("/status/startedAt").and_then(Value::as_str), now)
    }),
    ("WAITS FOR", true, |r, _| r.waits()),
];

impl Overview {
    /// Keeps the environments of these applications, with what runs for them and what they use.
    fn keep(&mut self, applications: &BTreeSet<String>) {
        let is_of = |row: &Row, pointer: &str, names: &BTreeSet<String>| {
            let name = row.at(pointer).and_then(Value::as_str);
            name.is_some_and(|name| names.contains(name))
        };
        self.environments
            .retain(|row| is_of(row, "/spec/applicationRef/name", applications));
        let environments = self.environments.iter();
        let used = environments.clone().flat_map(|e| e.items("/spec/services"));
        let used = used.filter_map(|one| one.get("name")?.as_str());
        let used: BTreeSet<String> = used.map(ToOwned::to_owned).collect();
        let names: BTreeSet<String> = environments.map(|e| e.name.clone()).collect();
        self.services.retain(|row| used.contains(&row.name));
        for rows in [&mut self.cronjobs, &mut self.releases] {
            rows.retain(|row| is_of(row, "/spec/environmentRef/name", &names));
        }
    }

    fn text(&self, output: Output, everywhere: bool, now: Timestamp) -> String {
        let tables = [
            table(output, ENVIRONMENTS, &self.environments, everywhere, now),
            table(output, SERVICES, &self.services, everywhere, now),
            table(output, CRONJOBS, &self.cronjobs, everywhere, now),
            table(output, RELEASES, &self.releases, everywhere, now),
        ];
        let tables: Vec<String> = tables.into_iter().flatten().collect();
        tables.join("\n")
    }
}

/// A table of one kind; nothing where there is none. A column in which nothing stands is left out.
fn table(
    output: Output,
    columns: &[Column],
    rows: &[Row],
    everywhere: bool,
    now: Timestamp,
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let said = |c: &&Column| rows.iter().any(|r| !(c.2)(r, now).is_empty());
    let shown: Vec<&Column> = columns
        .iter()
        .filter(|c| !c.1 || output == Output::Wide)
        .filter(said)
        .collect();
    let mut head: Vec<&str> = shown.iter().map(|c| c.0).collect();
    if everywhere {
        head.insert(0, "NAMESPACE");
    }
    let cells = |r: &Row| {
        let namespace = everywhere.then(|| r.namespace.clone());
        let cells = shown.iter().map(|c| (c.2)(r, now));
        namespace.into_iter().chain(cells).collect()
    };
    let mut text = output.table(&head, rows.iter().map(cells).collect());
    if output == Output::Table {
        text.extend(rows.iter().map(|r| r.hindrance(everywhere)));
    }
    Some(text)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
