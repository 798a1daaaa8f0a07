//! Cronjobs: what a run sees, when one starts, and what is told of it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::{Said, World};

/// An Application and an Environment with one variable; `MORE` stands for more of the Environment.
const TOY: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: web, kind: Worker, command: [busybox, sleep, "86400"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}, variables: [{name: STAGE, value: one}]MORE}
"#;

/// A Cronjob of a story, in its namespace.
struct Nightly<'a> {
    world: &'a World,
    ns: &'a str,
}

impl Nightly<'_> {
    /// Declares it: what it runs in a shell, and when.
    async fn declare(&self, command: &str, when: &str) -> Result<()> {
        let command = serde_json::to_string(command)?;
        let yaml = format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Cronjob\nmetadata: {{name: nightly}}\n\
             spec: {{environmentRef: {{name: toy-live}}, command: [busybox, sh, -c, {command}], {when}}}\n"
        );
        self.world.apply_in(self.ns, &yaml).await?;
        Ok(())
    }

    async fn patch(&self, object: &str, patch: &str) -> Result<Said> {
        let words = [
            "kubectl",
            "patch",
            object,
            "-n",
            self.ns,
            "--type=merge",
            "-p",
            patch,
        ];
        self.world.run(&words, None).await
    }

    /// Lays a merge patch over its spec.
    async fn set(&self, spec: &str) -> Result<()> {
        let patch = format!(r#"{{"spec":{{{spec}}}}}"#);
        self.patch("acj/nightly", &patch).await?.ok(spec)?;
        Ok(())
    }

    async fn status(&self, pointer: &str) -> Result<Value> {
        let pointer = format!("/status{pointer}");
        self.world.at("acj/nightly", self.ns, &pointer).await
    }

    /// Waits until a value of an object is this.
    async fn until(&self, object: &str, pointer: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        self.world
            .until(&format!("{pointer} of {object} is {value}"), || async {
                let is = self.world.at(object, self.ns, pointer).await?;
                Ok((is == value).then_some(()))
            })
            .await
    }

    /// The batch CronJob's schedule, once it is this.
    async fn until_scheduled(&self, cron: &str) -> Result<()> {
        self.until("cj/nightly", "/spec/schedule", cron).await
    }

    /// Asks for a run with this token, and waits until it has ended: what is told of it.
    async fn run_now(&self, token: &str) -> Result<Value> {
        let before = self.status("/lastRuns/0/job").await?;
        self.set(&format!(r#""runNow":"{token}""#)).await?;
        self.world
            .until("the run has ended", || async {
                let run = self.status("/lastRuns/0").await?;
                let ended = run["job"] != before && run["finishedAt"].is_string();
                Ok(ended.then_some(run))
            })
            .await
    }

    async fn logs(&self, run: &Value) -> Result<String> {
        let job = run["job"].as_str().context("a run without a Job")?;
        let words = format!("logs job/{job} -n {}", self.ns);
        self.world.kubectl(&words).await
    }

    async fn names(&self, kinds: &str) -> Result<String> {
        let words = format!(
            "get {kinds} -n {} -l roadstead.dev/cronjob -o name",
            self.ns
        );
        self.world.kubectl(&words).await
    }
}

/// A run has the image and the variables of the release that serves, reaches what its Environment is attached to, and what became
/// of it is told: begin, end, exit code, number of the release. The token of a new Cronjob runs nothing.
///
/// proves: DV-214, DV-215
pub async fn a_run_has_what_its_release_has_and_reaches_its_services(world: World) -> Result<()> {
    let ns = world.instance("cron-run").await?;
    let nightly = Nightly {
        world: &world,
        ns: &ns,
    };
    let cache = "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {name: cache}\nspec: {classRef: {name: redis}}\n---";
    let attached = TOY.replace("MORE", ", services: [{name: cache, prefix: DEFAULT}]");
    world.apply_in(&ns, &format!("{cache}{attached}")).await?;
    let ask = "echo stage $STAGE\n\
        address=`nslookup $DEFAULT_CACHE_HOST.cluster.local | awk '/^Address/ {a = $NF} END {print a}'`\n\
        printf 'AUTH %s\\r\\nPING\\r\\nQUIT\\r\\n' $DEFAULT_CACHE_PASSWORD | nc -w 10 $address $DEFAULT_CACHE_PORT\n\
        exit 3";
    nightly
        .declare(ask, r#"frequency: Daily, time: "02:30", runNow: before"#)
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    world.condition("acj/nightly", &ns, "Ready").await?;

    let first = nightly.run_now("first").await?;
    ensure!(first["exitCode"] == 3 && first["release"] == 1, "{first}");
    ensure!(first["startedAt"].is_string() && first["result"] == "Failed");
    let said = nightly.logs(&first).await?;
    ensure!(
        said.contains("stage one") && said.contains("+PONG"),
        "{said}"
    );
    let jobs = nightly.names("jobs").await?;
    ensure!(jobs.lines().count() == 1, "the first token ran too: {jobs}");
    world
        .condition("acj/nightly", &ns, "LastRunSucceeded=False")
        .await?;
    stranger_is_shut_out(&world, &ns).await?;

    let second = r#"{"spec":{"variables":[{"name":"STAGE","value":"two"}]}}"#;
    nightly.patch("renv/toy-live", second).await?.ok("patch")?;
    nightly
        .until("renv/toy-live", "/status/currentRelease", 2)
        .await?;
    let run = nightly.run_now("second").await?;
    ensure!(run["release"] == 2, "{run}");
    ensure!(nightly.logs(&run).await?.contains("stage two"));
    ensure!(nightly.status("/lastRuns/1").await? == first);
    let job = format!("job/{}", run["job"].as_str().unwrap_or_default());
    let image = "/spec/template/spec/containers/0/image";
    let image = world.at(&job, &ns, image).await?;
    let released = world.at("rel/toy-live-2", &ns, "/status/image").await?;
    ensure!(image == released, "{image} is not {released}");
    world.remove("cron-run").await
}

/// The same address, asked by a pod that is of no attached Environment, does not answer.
async fn stranger_is_shut_out(world: &World, ns: &str) -> Result<()> {
    world
        .apply_in(ns, &crate::instance::pod("stranger", "sleep 3600"))
        .await?;
    world.condition("pod/stranger", ns, "Ready").await?;
    let address = world.at("svc/cache", ns, "/spec/clusterIP").await?;
    let address = address.as_str().context("the cache has no address")?;
    let ask = format!("printf 'PING\\r\\nQUIT\\r\\n' | timeout 5 nc -w 3 {address} 6379");
    let words = [
        "kubectl", "exec", "-n", ns, "stranger", "--", "busybox", "sh", "-c", &ask,
    ];
    let said = world.run(&words, None).await?;
    ensure!(
        said.code != 0 && said.out.is_empty(),
        "it was let in: {said:?}"
    );
    Ok(())
}

/// What is declared is the schedule of a batch CronJob, which starts nothing while the Cronjob or its Environment is not to run.
///
/// proves: DV-207, DV-208, DV-209, DV-212, DV-213, DV-216
pub async fn a_schedule_follows_what_is_declared_and_rests_with_its_environment(
    world: World,
) -> Result<()> {
    let ns = world.instance("cron-when").await?;
    let nightly = Nightly {
        world: &world,
        ns: &ns,
    };
    nightly
        .declare("true", r#"frequency: Daily, time: "02:30""#)
        .await?;
    let blocker = "/status/blockers/0/what";
    nightly
        .until("acj/nightly", blocker, "EnvironmentNotFound/toy-live")
        .await?;
    ensure!(world.get("cj/nightly", &ns).await?.is_none());
    let broken = TOY.replace("MORE", "").replace("sleep", "\"false\"");
    world.apply_in(&ns, &broken).await?;
    nightly
        .until("acj/nightly", blocker, "NotDeployed/toy-live")
        .await?;
    ensure!(world.get("cj/nightly", &ns).await?.is_none());
    world.apply_in(&ns, &TOY.replace("MORE", "")).await?;

    nightly.until_scheduled("30 2 * * *").await?;
    let suspend = "/spec/suspend";
    nightly.until("cj/nightly", suspend, false).await?;
    let deadline = "/spec/jobTemplate/spec/activeDeadlineSeconds";
    ensure!(world.at("cj/nightly", &ns, deadline).await? == 3600);
    nightly.set(r#""frequency":"Hourly","time":":42""#).await?;
    nightly.until_scheduled("42 * * * *").await?;
    nightly
        .set(r#""frequency":"Every10Min","time":null"#)
        .await?;
    nightly.until_scheduled("*/10 * * * *").await?;
    nightly
        .set(r#""frequency":null,"schedule":"5 4 * * 1-5","timeZone":"Europe/Zurich""#)
        .await?;
    nightly.until_scheduled("5 4 * * 1-5").await?;
    ensure!(world.at("cj/nightly", &ns, "/spec/timeZone").await? == "Europe/Zurich");
    let elsewhere = r#"{"spec":{"environmentRef":{"name":"other"}}}"#;
    let said = nightly.patch("acj/nightly", elsewhere).await?;
    said.refused("environmentRef is immutable")?;

    nightly.set(r#""suspend":true"#).await?;
    nightly.until("cj/nightly", suspend, true).await?;
    nightly.set(r#""suspend":false"#).await?;
    nightly.until("cj/nightly", suspend, false).await?;
    for (state, rests) in [("Stopped", true), ("Running", false)] {
        let patch = format!(r#"{{"spec":{{"state":"{state}"}}}}"#);
        nightly.patch("renv/toy-live", &patch).await?.ok(state)?;
        nightly.until("cj/nightly", suspend, rests).await?;
    }
    a_missed_run_is_told(&nightly).await?;
    world.remove("cron-when").await
}

/// A run that fell due a quarter of an hour ago, under a schedule that has been in force for an hour, and that nobody started.
async fn a_missed_run_is_told(nightly: &Nightly<'_>) -> Result<()> {
    let now = jiff::Timestamp::now();
    let ago = |minutes| now - jiff::SignedDuration::from_mins(minutes);
    let minute = ago(15).strftime("%-M").to_string();
    let cron = format!("{minute} * * * *");
    nightly
        .set(&format!(r#""schedule":"{cron}","timeZone":null"#))
        .await?;
    nightly.until_scheduled(&cron).await?;
    let (world, ns) = (nightly.world, nightly.ns);
    world
        .condition("acj/nightly", ns, "MissedRuns=False")
        .await?;
    let since = format!(
        "annotate cj/nightly -n {ns} --overwrite roadstead.dev/since={}",
        ago(60)
    );
    world.kubectl(&since).await?;
    world.condition("acj/nightly", ns, "MissedRuns=True").await
}

/// A run that is due starts by itself, is stopped when it takes too long, and ends with its Cronjob.
///
/// proves: DV-211, DV-217
pub async fn a_due_run_starts_by_itself_and_ends_in_time(world: World) -> Result<()> {
    let ns = world.instance("cron-due").await?;
    let nightly = Nightly {
        world: &world,
        ns: &ns,
    };
    world.apply_in(&ns, &TOY.replace("MORE", "")).await?;
    nightly
        .declare(
            "exec sleep 600",
            r#"schedule: "* * * * *", timeoutSeconds: 3"#,
        )
        .await?;
    nightly
        .until("acj/nightly", "/status/lastRuns/0/result", "TimedOut")
        .await?;
    let run = nightly.status("/lastRuns/0").await?;
    let at = |key: &str| -> Result<jiff::Timestamp> {
        Ok(run[key].as_str().context("no time")?.parse()?)
    };
    let took = at("finishedAt")? - at("startedAt")?;
    ensure!(took.get_seconds() >= 3, "it was stopped early: {run}");
    ensure!(took.get_seconds() < 120, "it was stopped late: {run}");
    nightly
        .set(r#""suspend":true,"timeoutSeconds":600,"runNow":"1""#)
        .await?;
    let running = "jsonpath={.status.lastRuns[0].result}=Running";
    world
        .kubectl(&format!(
            "wait acj/nightly -n {ns} --for={running} --timeout=60s"
        ))
        .await?;
    world
        .kubectl(&format!("delete acj nightly -n {ns} --timeout=60s"))
        .await?;
    world
        .until("its runs are gone", || async {
            let left = nightly.names("cj,jobs,pods").await?;
            Ok(left.trim().is_empty().then_some(()))
        })
        .await?;
    world.remove("cron-due").await
}
