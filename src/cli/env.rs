//! `env`: the variables that the containers of an Environment see, and where each comes from.

use std::collections::BTreeMap;

use clap_complete::ArgValueCompleter;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use serde::Serialize;

use super::{
    complete,
    fail::Failure,
    progress::note,
    scope::{Cluster, Scope},
    show::print,
    target::Target,
    track,
};
use crate::{
    api::{Environment, environment::EffectiveVariable, status::Condition},
    kinds::Of,
    plan::build::{
        snapshot::{Record, secret_of},
        variables::{CONFIGURATION, From, Piece},
    },
};

/// Whose variables, and how much of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environment: String,
    /// The values too, of the release that serves; needs the right to read Secrets
    #[arg(long)]
    pub values: bool,
    /// As a shell reads them: NAME='value'
    #[arg(long, requires = "values")]
    pub export: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
Of two variables of one name the environment's wins over the application's, and both over a service's and Roadstead's own.
Values are read from the Secret that the release recorded; without the right to read Secrets they are refused.

With kubectl alone:
  kubectl get renv shop-live -o jsonpath='{.status.variables}'
  kubectl get secret shop-live-8 -o yaml      # what release 8 recorded";

/// A variable with its value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Valued {
    name: String,
    origin: String,
    sensitive: bool,
    value: String,
}

/// Shows them.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.environment, &[Of::Environment])?;
    let cluster = scope.connect().await?;
    let environment: Environment = cluster.get(target.of, &target.name).await?;
    let status = environment.status.unwrap_or_default();
    for odd in odd(&status.conditions) {
        note(&format!("{target}: {odd}"));
    }
    if !args.values {
        return names(scope, &status.variables);
    }
    let Some(number) = status.current_release else {
        return Err(Failure::refused(
            format!("{target} has no release that serves, so its variables have no values yet"),
            format!("kubectl roadstead why {target}"),
        ));
    };
    let valued = values(&cluster, &target, number).await?;
    if args.export {
        let lines = valued
            .iter()
            .map(|v| format!("{}={}\n", v.name, quoted(&v.value)));
        return print(&lines.collect::<String>());
    }
    if !scope.output.is_for_people() {
        return print(&scope.output.render(&valued)?);
    }
    let row = |v: &Valued| vec![v.name.clone(), v.origin.clone(), v.value.clone()];
    let rows = valued.iter().map(row).collect();
    print(&scope.output.table(&["NAME", "FROM", "VALUE"], rows))
}

/// What is odd about the variables.
fn odd(conditions: &[Condition]) -> impl Iterator<Item = &str> {
    let is_odd = |c: &&Condition| c.type_ == "UnresolvedPlaceholder" && c.status == "True";
    conditions.iter().filter(is_odd).map(|c| c.message.as_str())
}

fn names(scope: &Scope, variables: &[EffectiveVariable]) -> Result<(), Failure> {
    if !scope.output.is_for_people() {
        return print(&scope.output.render(&variables)?);
    }
    let kept = |v: &EffectiveVariable| if v.sensitive { "yes" } else { "" }.to_owned();
    let row = |v: &EffectiveVariable| vec![v.name.clone(), v.origin.clone(), kept(v)];
    let rows = variables.iter().map(row).collect();
    print(&scope.output.table(&["NAME", "FROM", "SENSITIVE"], rows))
}

/// What the Release of this number gives its containers today.
async fn values(cluster: &Cluster, target: &Target, number: i64) -> Result<Vec<Valued>, Failure> {
    let (record, snapshot) = recorded(cluster, target, number).await?;
    let mut services = BTreeMap::new();
    for entry in &record.variables {
        if let From::Service(service) = &entry.from
            && !services.contains_key(service)
        {
            let given = texts(cluster, &secret_of(&target.name, service)).await?;
            services.insert(service.clone(), given);
        }
    }
    Ok(valued(&record, &snapshot, &services))
}

/// What the Release of this number recorded: what it runs, and the values that it read.
pub async fn recorded(
    cluster: &Cluster,
    target: &Target,
    number: i64,
) -> Result<(Record, Texts), Failure> {
    let releases = track::of_environment(cluster, &target.name).await?;
    let name = track::numbered(&releases, number).map(ResourceExt::name_any);
    let name = name.unwrap_or_else(|| format!("{}-{number}", target.name));
    let snapshot = texts(cluster, &name).await?;
    let record = snapshot.get(CONFIGURATION);
    let record: Option<Record> = record.and_then(|text| serde_json::from_str(text).ok());
    match record {
        Some(record) => Ok((record, snapshot)),
        None => Err(Failure::refused(
            format!("secret/{name} does not say what release {number} ran with"),
            "use the plugin of the version that the operator has",
        )),
    }
}

type Texts = BTreeMap<String, String>;

/// What stands in a Secret, as text.
async fn texts(cluster: &Cluster, name: &str) -> Result<Texts, Failure> {
    let api: Api<Secret> = cluster.api();
    let secret = api.get(name).await;
    let secret = secret.map_err(|e| Failure::from_api(&e, &format!("read secret/{name}")))?;
    let data = secret.data.unwrap_or_default().into_iter();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(data.map(|(key, value)| (key, text(value.0))).collect())
}

/// The variables in the order in which containers get them: what needs another stands after it.
fn valued(record: &Record, snapshot: &Texts, services: &BTreeMap<String, Texts>) -> Vec<Valued> {
    let mut known = Texts::new();
    let mut all = Vec::new();
    for entry in &record.variables {
        let value = match &entry.from {
            From::Snapshot(key) => snapshot.get(key).cloned(),
            From::Service(service) => services
                .get(service)
                .and_then(|s| s.get(&entry.name))
                .cloned(),
            From::Live(pieces) => Some(pieces.iter().map(|p| piece(p, &known)).collect()),
        };
        let value = value.unwrap_or_default();
        known.insert(entry.name.clone(), value.clone());
        all.push(Valued {
            name: entry.name.clone(),
            origin: format!("{:?}", entry.origin),
            sensitive: entry.sensitive,
            value,
        });
    }
    all
}

fn piece(piece: &Piece, known: &Texts) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable(name) => known.get(name).cloned().unwrap_or_default(),
    }
}

/// A value as every shell reads it, whatever stands in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_from_the_snapshot_the_service_and_what_is_put_together() {
        let record: Record = serde_json::from_value(json!({
            "number": 3, "under": "x", "image": "i", "configuration": {"containers": []},
            "variables": [
                {"name": "STAGE", "origin": "Environment", "from": {"snapshot": "v.STAGE"}},
                {"name": "DB_PASSWORD", "origin": "Service", "sensitive": true, "from": {"service": "db"}},
                {"name": "URL", "origin": "Application", "sensitive": true,
                 "from": {"live": [{"text": "pw="}, {"variable": "DB_PASSWORD"}]}},
            ],
        }))
        .unwrap();
        let snapshot = Texts::from([("v.STAGE".to_owned(), "it's live".to_owned())]);
        let db = Texts::from([("DB_PASSWORD".to_owned(), "s3cret".to_owned())]);
        let all = valued(&record, &snapshot, &BTreeMap::from([("db".to_owned(), db)]));
        let pairs: Vec<_> = all.iter().map(|v| (&*v.name, &*v.value)).collect();
        assert_eq!(
            pairs,
            [
                ("STAGE", "it's live"),
                ("DB_PASSWORD", "s3cret"),
                ("URL", "pw=s3cret")
            ]
        );
        assert_eq!(quoted("it's live"), r"'it'\''s live'");
    }
}
