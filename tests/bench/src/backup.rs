//! How long it takes to back a database up and to restore it, against the same by hand: a snapshot made with kubectl, and a dump.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use devcluster::{
    Cluster, Options, manifest,
    product::{self, Images},
    run,
};
use serde_json::{Value, json};

const NS: &str = "instance-bytes";

/// An Instance with a database to fill, and an empty one for the dump.
const DECLARED: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: instance-bytes, labels: {roadstead.dev/instance: bytes}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Instance
metadata: {name: bytes}
spec: {name: bytes, description: A database to copy, plan: Paid}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: db, namespace: instance-bytes}
spec: {classRef: {name: postgres}, storage: {size: 8Gi}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: twin, namespace: instance-bytes}
spec: {classRef: {name: postgres}, storage: {size: 8Gi}}
";

const BACKUP: &str = "\
apiVersion: roadstead.dev/v1alpha1
kind: Backup
metadata: {name: bytes, namespace: instance-bytes}
spec: {serviceRef: {name: db}}
";

const ANEW: &str = "\
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: back, namespace: instance-bytes}
spec: {classRef: {name: postgres}, storage: {size: 8Gi}, restoreFrom: {backupRef: {name: bytes}, service: db}}
";

/// A database on a cluster of its own.
struct Bytes {
    cluster: Cluster,
}

/// Fills a database with so many MiB, and prints how long each way takes.
pub async fn measure(mib: u32) -> Result<()> {
    let cluster = Cluster::start(Options::named("bytes").nodes(1).snapshots()).await?;
    let images = Images::load(&cluster)?;
    product::install(&cluster, &images)?;
    let bytes = Bytes { cluster };
    // Tests make do with little memory; a database of this size does not.
    let memory = r#"{"spec": {"gigabyte": "512Mi"}}"#;
    bytes.kubectl(&["patch", "msc/postgres", "--type=merge", "-p", memory])?;
    bytes.apply(DECLARED).await?;
    bytes.ready("msvc/db")?;
    bytes.ready("msvc/twin")?;
    // A row is a KiB and a little.
    let rows = mib * 1024;
    bytes.sql(
        "db",
        &format!(
            "create table rows as select i, repeat(md5(i::text), 31) as word from generate_series(1, {rows}) i"
        ),
    )?;
    bytes.sql("db", "checkpoint")?;
    let size = bytes.sql(
        "db",
        "select pg_size_pretty(pg_database_size(current_database()))",
    )?;
    println!("A PostgreSQL database of {}, in seconds:\n", size.trim());
    println!("| | Roadstead | a snapshot by hand | a dump by hand |\n|---|---|---|---|");
    let (ours, snapshot, dump) = (
        bytes.ours(rows).await?,
        bytes.snapshot(rows).await?,
        bytes.dump(rows)?,
    );
    println!(
        "| back up | {:.1} | {:.1} | {:.1} |",
        ours[0], snapshot.0, dump.0
    );
    println!(
        "| restore into a new one | {:.1} | {:.1} | {:.1} |",
        ours[1], snapshot.1, dump.1
    );
    println!(
        "| restore in place, what is there made safe first | {:.1} | | |",
        ours[2]
    );
    bytes.cluster.stop()
}

impl Bytes {
    /// A Backup, a new Service made of it, and the same in place.
    async fn ours(&self, rows: u32) -> Result<[f64; 3]> {
        let begun = Instant::now();
        self.apply(BACKUP).await?;
        self.ready("dbk/bytes")?;
        let backup = begun.elapsed();
        let begun = Instant::now();
        self.apply(ANEW).await?;
        self.ready("msvc/back")?;
        let anew = begun.elapsed();
        self.holds("back-0", "back", rows)?;
        self.sql("db", "delete from rows where i = 1")?;
        let uid = self.kubectl(&["get", "msvc/db", "-o", "jsonpath={.metadata.uid}"])?;
        let begun = Instant::now();
        self.apply(&format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Restore\nmetadata: {{name: bytes, namespace: {NS}}}\n\
             spec: {{backupRef: {{name: bytes}}, services: [{{into: db, overwrite: {uid}}}]}}\n"
        ))
        .await?;
        self.ready("drs/bytes")?;
        let in_place = begun.elapsed();
        self.holds("db-0", "db", rows)?;
        Ok([backup, anew, in_place].map(|time| time.as_secs_f64()))
    }

    /// The same with objects that a person writes: a snapshot of the volume, a volume made of it, and a pod as that of the database.
    async fn snapshot(&self, rows: u32) -> Result<(f64, f64)> {
        let pod = self.kubectl(&["get", "pod/db-0", "-o", "json"])?;
        let mut pod: Value = serde_json::from_str(&pod)?;
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let mut claims = volumes.filter_map(|v| v["persistentVolumeClaim"]["claimName"].as_str());
        let claim = claims.next().context("it has no volume")?.to_owned();
        let begun = Instant::now();
        self.apply(
            &json!({
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                "metadata": {"name": "by-hand", "namespace": NS},
                "spec": {"source": {"persistentVolumeClaimName": claim}},
            })
            .to_string(),
        )
        .await?;
        self.wait(
            "volumesnapshot/by-hand",
            "jsonpath={.status.readyToUse}=true",
        )?;
        let backup = begun.elapsed();
        for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
            if volume["persistentVolumeClaim"].is_object() {
                volume["persistentVolumeClaim"]["claimName"] = json!("by-hand");
            }
        }
        let begun = Instant::now();
        self.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "by-hand", "namespace": NS},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "8Gi"}},
                "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "by-hand"},
            },
        }).to_string())
        .await?;
        let spec = &pod["spec"];
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "by-hand", "namespace": NS},
            "spec": {
                "containers": spec["containers"], "volumes": spec["volumes"],
                "securityContext": spec["securityContext"], "automountServiceAccountToken": false,
            },
        }).to_string())
        .await?;
        self.ready("pod/by-hand")?;
        let anew = begun.elapsed();
        self.holds("by-hand", "db", rows)?;
        Ok((backup.as_secs_f64(), anew.as_secs_f64()))
    }

    /// The same with the engine's own tools.
    fn dump(&self, rows: u32) -> Result<(f64, f64)> {
        let file = self.cluster.kubeconfig().with_file_name("dump.sql");
        let begun = Instant::now();
        let mut dump = self.psql("db-0", "db", "pg_dump")?;
        let done = dump.stdout(File::create(&file)?).status()?;
        ensure!(done.success(), "no dump");
        let backup = begun.elapsed();
        let begun = Instant::now();
        let mut load = self.psql("twin-0", "twin", "psql --quiet")?;
        let done = load
            .stdin(File::open(&file)?)
            .stdout(Stdio::null())
            .status()?;
        ensure!(done.success(), "the dump was not taken");
        let anew = begun.elapsed();
        self.holds("twin-0", "twin", rows)?;
        Ok((backup.as_secs_f64(), anew.as_secs_f64()))
    }

    /// Whether every row is there.
    fn holds(&self, pod: &str, service: &str, rows: u32) -> Result<()> {
        let mut ask = self.psql(pod, service, "psql -qAt -c 'select count(*) from rows'")?;
        let count = run::output(&mut ask)?;
        ensure!(count.trim() == rows.to_string(), "{pod} holds {count} rows");
        Ok(())
    }

    fn sql(&self, service: &str, statement: &str) -> Result<String> {
        let mut ask = self.psql(
            &format!("{service}-0"),
            service,
            &format!("psql -qAt -c \"{statement}\""),
        )?;
        run::output(&mut ask)
    }

    /// A program of the engine in a pod, with the password of a Service.
    fn psql(&self, pod: &str, service: &str, program: &str) -> Result<Command> {
        let secret = format!("secret/{service}-credentials");
        let decode = "go-template={{.data.password | base64decode}}";
        let password = self.kubectl(&["get", &secret, "-o", decode])?;
        let line = format!(
            "PGHOST=127.0.0.1 PGUSER=$POSTGRES_USER PGPASSWORD={password} PGDATABASE=$POSTGRES_DB {program}"
        );
        let mut command = self.cluster.kubectl()?;
        command.args(["exec", "-i", "-n", NS, pod, "--", "sh", "-c", &line]);
        Ok(command)
    }

    async fn apply(&self, yaml: &str) -> Result<()> {
        manifest::apply(&self.cluster.client(), yaml, None).await
    }

    fn ready(&self, what: &str) -> Result<()> {
        self.wait(what, "condition=Ready")
    }

    fn wait(&self, what: &str, until: &str) -> Result<()> {
        self.kubectl(&["wait", what, "--for", until, "--timeout=600s"])
            .map(drop)
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        let mut command = self.cluster.kubectl()?;
        run::output(command.args(["-n", NS]).args(words))
    }
}
