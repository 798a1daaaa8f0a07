//! `backups`: what could be restored, by environment and service.

use std::collections::BTreeMap;

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::{
    complete,
    fail::Failure,
    scope::Scope,
    show::{distance, or_dash, print},
    target::Target,
};
use crate::{
    api::{
        Backup, Environment,
        backup::{BackupPart, BackupState},
    },
    kinds::Of,
    plan::backup::said,
};

/// Which are shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those of this service, or of this environment's services
    #[arg(value_name = "msvc/NAME|renv/NAME", add = ArgValueCompleter::new(complete::backed_up))]
    pub target: Option<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
A service that several environments use stands under each. VERIFIED says whether it was proven to restore.

With kubectl alone:
  kubectl get dbk -n instance-acme -l roadstead.dev/service-shop-db";

/// A part of a Backup that can be restored, or could not be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    environment: Option<String>,
    service: String,
    backup: String,
    state: BackupState,
    taken_at: Option<String>,
    size_bytes: Option<i64>,
    /// `yes`, `no`, `not yet`; nothing where nobody asked.
    verified: Option<&'static str>,
    trigger: Option<String>,
}

/// Shows them.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = args.target.as_deref();
    let target = target.map(|text| Target::parse(text, &[Of::Service, Of::Environment]));
    let target = target.transpose()?;
    let cluster = scope.connect().await?;
    scope.instance_is_there(&cluster).await?;
    let environments: Vec<Environment> = cluster.list(Of::Environment).await?;
    let backups: Vec<Backup> = cluster.list(Of::Backup).await?;
    let lines = lines(&backups, &environments, target.as_ref());
    if !scope.output.is_for_people() {
        return print(&scope.output.render(&lines)?);
    }
    if lines.is_empty() {
        return print("There is no backup.\n");
    }
    print(&text(&lines, Timestamp::now()))
}

fn lines(backups: &[Backup], environments: &[Environment], only: Option<&Target>) -> Vec<Line> {
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for environment in environments {
        for service in &environment.spec.services {
            let of = users.entry(service.name.as_str()).or_default();
            of.push(environment.name_any());
        }
    }
    let wanted = |line: &Line| match only {
        None => true,
        Some(one) if one.of == Of::Service => line.service == one.name,
        Some(one) => line.environment.as_deref() == Some(&one.name),
    };
    let mut all = Vec::new();
    for backup in backups {
        for part in backup.status.iter().flat_map(|status| &status.parts) {
            let users = users.get(part.service.as_str());
            match users {
                Some(users) => all.extend(users.iter().map(|user| line(backup, part, Some(user)))),
                None => all.push(line(backup, part, None)),
            }
        }
    }
    all.retain(wanted);
    // Those that no environment uses come last, the newest of a service first.
    all.sort_by(|a, b| {
        let of = |line: &Line| {
            (
                line.environment.is_none(),
                line.environment.clone(),
                line.service.clone(),
            )
        };
        of(a).cmp(&of(b)).then_with(|| b.taken_at.cmp(&a.taken_at))
    });
    all
}

fn line(backup: &Backup, part: &BackupPart, environment: Option<&String>) -> Line {
    let status = backup.status.clone().unwrap_or_default();
    let verified = status.conditions.iter().find(|c| c.type_ == "Verified");
    let verified = verified.map(|c| match c.status.as_str() {
        "True" => "yes",
        "False" => "no",
        _ => "not yet",
    });
    Line {
        environment: environment.cloned(),
        service: part.service.clone(),
        backup: backup.name_any(),
        state: part.state,
        taken_at: part.taken_at.clone(),
        size_bytes: part.size_bytes,
        verified,
        trigger: status.trigger,
    }
}

const HEAD: [&str; 5] = ["BACKUP", "STATE", "SIZE", "VERIFIED", "AGE"];

/// Under each service its Backups. Their names stand in one piece, because they are copied.
fn text(lines: &[Line], now: Timestamp) -> String {
    let rows: Vec<[String; 5]> = lines.iter().map(|line| row(line, now)).collect();
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(widest);
    let padded = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let text: String = cells.map(|(cell, w)| format!("{cell:w$}  ")).collect();
        format!("  {}\n", text.trim_end())
    };
    let mut out = padded(&HEAD.map(str::to_owned));
    let mut above = None;
    for (line, row) in lines.iter().zip(&rows) {
        let of = (&line.environment, &line.service);
        if above.replace(of) != Some(of) {
            let user = line.environment.as_ref();
            let user = user.map(|name| format!(" of environment/{name}"));
            let user = user.unwrap_or_default();
            out.push_str(&format!("service/{}{user}\n", line.service));
        }
        out.push_str(&padded(row));
    }
    out
}

fn row(line: &Line, now: Timestamp) -> [String; 5] {
    let state = match line.state {
        BackupState::InProgress => "in progress",
        BackupState::Done => "done",
        BackupState::Error => "error",
    };
    [
        line.backup.clone(),
        state.to_owned(),
        or_dash(line.size_bytes.map(said)),
        or_dash(line.verified),
        distance(line.taken_at.as_deref(), now),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backup(name: &str, taken: &str, verified: &str) -> Backup {
        let part = json!({
            "service": "shop-db", "serviceUid": "u", "class": "postgres", "type": "Database", "tier": "Development",
            "state": "done", "takenAt": taken, "sizeBytes": 1 << 30,
        });
        let condition = json!({"type": "Verified", "status": verified, "reason": "R", "message": "", "lastTransitionTime": taken});
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Backup", "metadata": {"name": name},
            "spec": {"serviceRef": {"name": "shop-db"}},
            "status": {"state": "done", "parts": [part], "conditions": [condition]},
        }))
        .unwrap()
    }

    fn environment(name: &str) -> Environment {
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name},
            "spec": {"applicationRef": {"name": "shop"}, "services": [{"name": "shop-db", "prefix": "DEFAULT"}]},
        }))
        .unwrap()
    }

    #[test]
    fn the_newest_stands_first_and_nothing_is_said_twice() {
        let backups = [
            backup("old", "2026-11-20T12:00:00Z", "True"),
            backup("new", "2026-11-22T11:00:00Z", "False"),
        ];
        let lines = lines(&backups, &[environment("shop-live")], None);
        let text = text(&lines, "2026-11-22T12:00:00Z".parse().unwrap());
        let expected = "  \
  BACKUP  STATE  SIZE  VERIFIED  AGE
service/shop-db of environment/shop-live
  new     done   1Gi   no        60m
  old     done   1Gi   yes       2d
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn a_long_name_stands_in_one_piece_within_eighty_columns() {
        let name = "shop-live-database-by-hand-kvmtq-back-cdfgh-safety";
        let backups = [backup(name, "2026-11-20T12:00:00Z", "Unknown")];
        let lines = lines(&backups, &[], None);
        let text = text(&lines, "2026-11-22T12:00:00Z".parse().unwrap());
        assert!(text.contains(name), "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    }

    #[test]
    fn they_are_shown_of_one_environment_or_of_nobodys_services() {
        let backups = [backup("one", "2026-11-20T12:00:00Z", "True")];
        let both = [environment("shop-live"), environment("shop-test")];
        assert_eq!(lines(&backups, &both, None).len(), 2);
        let live = Target::new(Of::Environment, "shop-live");
        assert_eq!(lines(&backups, &both, Some(&live)).len(), 1);
        assert_eq!(lines(&backups, &[], None)[0].environment, None);
        assert!(lines(&backups, &[], Some(&live)).is_empty());
    }
}
