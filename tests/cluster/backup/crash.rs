//! A Backup and a Restore during which something is killed at each of their steps.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use devcluster::process::{self, Identity};
use tokio::time::Instant;

use super::{
    database::asked,
    hold::{HOLD, class},
    into_service, of_service,
    steps::steps,
    uid, until_reason,
};
use crate::{
    service::Engine,
    world::{PATIENCE, World},
};

const OPERATOR: &str = "-n roadstead-system -l app.kubernetes.io/name=roadstead";

/// What is killed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Victim {
    /// Both replicas of the operator.
    Operator,
    /// The kubelet of each node.
    Kubelet,
    /// What the API server keeps everything in.
    Etcd,
}

impl Victim {
    /// Kills it.
    async fn crash(self, world: &World) -> Result<()> {
        match self {
            Self::Operator => operator(world).await,
            Self::Kubelet => {
                for node in ["node1", "node2"] {
                    world.crash(&format!("{node}-kubelet")).await?;
                }
                Ok(())
            }
            Self::Etcd => {
                world.crash("etcd").await?;
                answers(world, "/readyz").await
            }
        }
    }
}

async fn answers(world: &World, path: &str) -> Result<()> {
    world
        .until(&format!("{path} answers"), || async {
            let said = world.try_kubectl(&format!("get --raw {path}")).await?;
            Ok((said.code == 0 && said.out.trim() == "ok").then_some(()))
        })
        .await
}

/// The processes are killed where they run. The Lease is cleared, or each time it would be waited for until it runs out.
async fn operator(world: &World) -> Result<()> {
    let list = format!("get pods {OPERATOR} -o jsonpath={{.items[*].metadata.uid}}");
    let processes = world
        .until("an operator runs that can be killed", || async {
            let pods = world.kubectl(&list).await?;
            let processes: Vec<Identity> = pods.split_whitespace().flat_map(in_pod).collect();
            Ok((!processes.is_empty()).then_some(processes))
        })
        .await?;
    processes.iter().try_for_each(process::kill)?;
    let free = r#"patch lease roadstead -n roadstead-system --type=merge -p {"spec":{"holderIdentity":null}}"#;
    world.kubectl(free).await?;
    let fresh = format!("delete pods {OPERATOR} --grace-period=0 --force");
    world.kubectl(&fresh).await.map(drop)
}

/// The processes of the operator in this pod, as the machine knows them.
fn in_pod(uid: &str) -> Vec<Identity> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        group.contains(uid) && program.ends_with("roadstead")
    })
    .filter_map(Identity::of)
    .collect()
}

/// What ends a round.
pub(super) enum Last {
    /// A step, as it is told.
    Seen(String),
    /// That an object is no longer there.
    Gone(String),
}

impl Last {
    /// How often there is something to see at least. What ends a Service is done in a breath: on an idle machine all that follows the
    /// Backup is seen as one step.
    fn least(&self) -> usize {
        match self {
            Self::Seen(_) => 3,
            Self::Gone(_) => 1,
        }
    }

    async fn is_over(&self, world: &World, ns: &str, seen: &BTreeSet<String>) -> Result<bool> {
        match self {
            Self::Seen(step) => Ok(seen.contains(step)),
            Self::Gone(what) => Ok(world.get(what, ns).await?.is_none()),
        }
    }
}

/// Kills at each step that is seen in a namespace of what begins here, until it is over.
pub(super) async fn killed_at_each_step(
    world: &World,
    ns: &str,
    victim: Victim,
    begin: impl Future<Output = Result<()>>,
    last: &Last,
) -> Result<()> {
    let (client, mut kills) = (world.client(), 0);
    let mut seen = steps(&client, ns).await?;
    begin.await?;
    let deadline = Instant::now() + PATIENCE;
    while !last.is_over(world, ns, &seen).await? {
        ensure!(Instant::now() < deadline, "it does not end: {seen:?}");
        // What has just been killed may leave a question without an answer.
        let Ok(mut now) = steps(&client, ns).await else {
            continue;
        };
        if matches!(last, Last::Gone(_)) {
            now.extend(gone(&seen, &now));
        }
        if now.is_subset(&seen) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        seen.extend(now);
        let killed = victim.crash(world).await;
        killed.with_context(|| format!("{victim:?} at {seen:?}"))?;
        kills += 1;
    }
    println!("{ns}: {kills} crashes of {victim:?}");
    ensure!(
        kills >= last.least(),
        "it was not crashed at its steps: {kills}"
    );
    Ok(())
}

/// What was there and is no longer: where something is deleted, these are steps too.
fn gone(seen: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let objects = seen.iter().filter(|step| step.split(' ').count() == 2);
    let gone = objects.filter(|object| !now.contains(*object));
    gone.map(|object| format!("{object} is gone")).collect()
}

/// A Service whose data is held still while it is backed up, and who dies meanwhile.
struct Round<'a> {
    db: &'a Engine<'a>,
    victim: Victim,
}

impl Round<'_> {
    /// Makes an object and kills at each of its steps until it is done.
    async fn killed_at_each_step(&self, yaml: &str, what: &str, record: &str) -> Result<()> {
        let Engine { world, ns, .. } = *self.db;
        let last = Last::Seen(format!("Secret {record} says finished-at"));
        let begin = async { world.apply_in(ns, yaml).await.map(drop) };
        killed_at_each_step(world, ns, self.victim, begin, &last)
            .await
            .context(what.to_owned())?;
        until_reason(world, what, ns, "Done").await?;
        world
            .until("its engine can be asked", || async {
                Ok(asked(self.db, "select 1").await.ok())
            })
            .await
            .map(drop)
    }

    /// A row that was written before the Backup is back after the Restore, and one from after it is not.
    async fn play(&self) -> Result<()> {
        let Engine { world, ns, name } = *self.db;
        let word = format!("{:?}", self.victim).to_lowercase();
        let before = Left::count(world, ns).await?;
        asked(self.db, &format!("insert into marks values ('{word}')")).await?;
        let backup = format!("b-{word}");
        let what = format!("dbk/{backup}");
        let record = format!("{backup}-backup");
        self.killed_at_each_step(&of_service(&backup, name, ""), &what, &record)
            .await?;
        let free = "set lock_timeout = '5s'; insert into stream default values; insert into marks values ('lost')";
        asked(self.db, free)
            .await
            .context("the data is still held")?;

        let back = format!("r-{word}");
        let restore = into_service(&back, &backup, name, name, &uid(self.db).await?);
        let (what, record) = (format!("drs/{back}"), format!("{back}-restore"));
        self.killed_at_each_step(&restore, &what, &record).await?;
        until_reason(world, &format!("msvc/{name}"), ns, "Running").await?;
        let kept = format!(
            "select count(*) filter (where word = '{word}'), count(*) filter (where word = 'lost') from marks"
        );
        let rows = asked(self.db, &kept).await?;
        ensure!(rows == "1|0", "rows from before and after: {rows}");
        // The Backup, the safety Backup, and one new volume.
        let after = Left {
            backups: before.backups + 2,
            snapshots: before.snapshots + 2,
            claims: before.claims + 1,
        };
        ensure!(
            Left::count(world, ns).await? == after,
            "{before:?}, {after:?}"
        );
        Ok(())
    }
}

/// What is there, besides what each round is to leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) backups: usize,
    pub(super) snapshots: usize,
    pub(super) claims: usize,
}

impl Left {
    /// Counts, and sees that each snapshot and each claim has one volume, and that no Job is left.
    pub(super) async fn count(world: &World, ns: &str) -> Result<Self> {
        let count = async |words: &str| -> Result<usize> {
            Ok(world.kubectl(words).await?.split_whitespace().count())
        };
        let of = |what: &str| format!("get {what} -n {ns} -o name");
        let (snapshots, claims) = (
            count(&of("volumesnapshots")).await?,
            count(&of("pvc")).await?,
        );
        let below = |what: &str, field: &str| {
            format!(
                "get {what} -o jsonpath={{.items[?(@.spec.{field}.namespace==\"{ns}\")].metadata.name}}"
            )
        };
        let contents = count(&below("volumesnapshotcontents", "volumeSnapshotRef")).await?;
        let volumes = count(&below("pv", "claimRef")).await?;
        ensure!(
            contents == snapshots,
            "{contents} for {snapshots} snapshots"
        );
        ensure!(volumes == claims, "{volumes} volumes for {claims} claims");
        world
            .until("no Job is left", || async {
                Ok((count(&of("jobs")).await? == 0).then_some(()))
            })
            .await?;
        let backups = count(&of("dbk")).await?;
        Ok(Self {
            backups,
            snapshots,
            claims,
        })
    }
}

/// The operator, then the kubelets, then etcd are killed each time that a Backup or a Restore takes a step. Each ends as if nothing had
/// happened: with its data, one safety Backup and one new volume, and the lock of its engine let go.
pub async fn no_crash_loses_data_or_leaves_anything_behind(world: World) -> Result<()> {
    let ns = world.instance("crash").await?;
    class(&world, "crash", HOLD).await?;
    let more = "  deletionPolicy: StopFirst\n";
    let db = Engine::ready(&world, &ns, "db", "crash", more).await?;
    let tables = "create table stream (at timestamptz default clock_timestamp()); create table held (like stream including defaults); create table marks (word text)";
    asked(&db, tables).await?;
    for victim in [Victim::Operator, Victim::Kubelet, Victim::Etcd] {
        let round = Round { db: &db, victim };
        round.play().await.with_context(|| format!("{victim:?}"))?;
        for node in ["node1", "node2"] {
            answers(&world, &format!("/api/v1/nodes/{node}/proxy/healthz")).await?;
        }
    }
    world.remove("crash").await?;
    world.kubectl("delete serviceclass crash").await.map(drop)
}
