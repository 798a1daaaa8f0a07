//! That what stands in one Instance is apart from what stands in another.

use anyhow::{Context, Result, ensure};

use super::{pod, toy};
use crate::world::{World, instance_yaml};

/// The same names stand in two Instances, each with its own pods and address, and none shows up in the other.
///
/// proves: EP-034, EP-035, EP-039, EP-040, EP-041
pub async fn the_same_names_live_apart_in_two_instances(world: World) -> Result<()> {
    let (a, b) = (
        world.instance("twin-a").await?,
        world.instance("twin-b").await?,
    );
    let cronjob = "---\napiVersion: roadstead.dev/v1alpha1\nkind: Cronjob\nmetadata: {name: nightly}\n\
                   spec: {environmentRef: {name: toy-live}, command: [busybox, hostname], frequency: Daily, time: \"03:00\"}\n\
                   ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\ndata: {of: NAMESPACE}\n";
    let set = format!("{}{cronjob}", toy());
    for ns in [&a, &b] {
        world.apply_in(ns, &set.replace("NAMESPACE", ns)).await?;
        world.apply_in(ns, &pod("client", "sleep 3600")).await?;
    }
    world
        .apply_in(
            &a,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: only-in-a}\n",
        )
        .await?;
    for ns in [&a, &b] {
        it_is_served_by_its_own(&world, ns).await?;
    }
    let kinds = "rapp,renv,acj,deploy,cronjobs.batch";
    let (ours, theirs) = (world.uids(kinds, &a).await?, world.uids(kinds, &b).await?);
    ensure!(ours.len() == 5 && theirs.len() == 5, "{ours:?} {theirs:?}");
    ensure!(ours.iter().all(|uid| !theirs.contains(uid)));
    ensure!(world.get("cm/only-in-a", &b).await?.is_none());
    a_run_stays_where_it_was_asked_for(&world, &a, &b).await?;
    world.remove("twin-a").await?;
    world.remove("twin-b").await
}

/// Everything in it is Ready, and whoever answers at its address is a pod of it.
async fn it_is_served_by_its_own(world: &World, ns: &str) -> Result<()> {
    world.condition("renv/toy-live", ns, "Ready").await?;
    world.condition("acj/nightly", ns, "Ready").await?;
    world.condition("pod/client", ns, "Ready").await?;
    ensure!(world.at("cm/files", ns, "/data/of").await? == *ns);
    let ask = ask(world, ns, ns).await?;
    let answers = format!("{ns} answers");
    let host = world.until(&answers, || async {
        let said = world.exec(ns, "client", &ask).await?;
        Ok((said.code == 0).then_some(said.out))
    });
    let host = host.await?;
    let pods = world.kubectl(&format!("get pods -n {ns} -o name")).await?;
    ensure!(
        pods.contains(host.trim()),
        "{host} is no pod of {ns}: {pods}"
    );
    Ok(())
}

/// A run that is asked for in one of them takes place there alone.
async fn a_run_stays_where_it_was_asked_for(world: &World, a: &str, b: &str) -> Result<()> {
    world
        .run(
            &[
                "kubectl",
                "patch",
                "acj/nightly",
                "-n",
                a,
                "--type=merge",
                "-p",
                r#"{"spec":{"runNow":"1"}}"#,
            ],
            None,
        )
        .await?
        .ok("patch")?;
    world
        .until("the job of one Instance runs", || async {
            let jobs = world.kubectl(&format!("get jobs -n {a} -o name")).await?;
            Ok(jobs.contains("nightly").then_some(()))
        })
        .await?;
    let others = world.kubectl(&format!("get jobs -n {b} -o name")).await?;
    ensure!(
        !others.contains("nightly"),
        "it ran in the other one too: {others}"
    );
    Ok(())
}

/// Without isolation a pod of another Instance is answered; with it, only pods of the same.
///
/// proves: EP-036, EP-040
pub async fn packets_stay_within_an_instance(world: World) -> Result<()> {
    let (a, b) = (
        world.instance("apart-a").await?,
        world.instance("apart-b").await?,
    );
    world
        .patch("apart-a", r#"{"spec":{"network":{"isolation":"None"}}}"#)
        .await?
        .ok("patch")?;
    world.apply_in(&a, toy()).await?;
    for ns in [&a, &b] {
        world.apply_in(ns, &pod("client", "sleep 3600")).await?;
    }
    world.condition("renv/toy-live", &a, "Ready").await?;
    for ns in [&a, &b] {
        world.condition("pod/client", ns, "Ready").await?;
        answered(&world, ns, true).await?;
    }
    ensure!(world.get("netpol/roadstead-isolation", &a).await?.is_none());
    world
        .patch("apart-a", r#"{"spec":{"network":null}}"#)
        .await?
        .ok("patch")?;
    answered(&world, &b, false).await?;
    answered(&world, &a, true).await?;
    let from = world.at("pod/client", &b, "/status/podIP").await?;
    let from = from.as_str().context("the client has an address")?;
    let open = format!(r#"{{"spec":{{"network":{{"allowFrom":[{{"cidr":"{from}/32"}}]}}}}}}"#);
    world.patch("apart-a", &open).await?.ok("patch")?;
    answered(&world, &b, true).await?;
    world
        .patch("apart-a", r#"{"spec":{"network":null}}"#)
        .await?
        .ok("patch")?;
    answered(&world, &b, false).await?;
    let out = world
        .exec(
            &a,
            "client",
            "busybox nslookup kubernetes.default.svc.cluster.local",
        )
        .await?;
    ensure!(
        out.code == 0,
        "what is inside cannot reach out: {}{}",
        out.out,
        out.err
    );
    world.remove("apart-a").await?;
    world.remove("apart-b").await
}

async fn answered(world: &World, ns: &str, should: bool) -> Result<()> {
    let ask = ask(world, ns, "instance-apart-a").await?;
    let what = format!(
        "the toy is {}reached from {ns}",
        if should { "" } else { "not " }
    );
    world
        .until(&what, || async {
            let said = world.exec(ns, "client", &ask).await?;
            Ok(((said.code == 0) == should).then_some(()))
        })
        .await
}

/// The command that asks the toy of a namespace, by the address that a pod of another finds under its name.
async fn ask(world: &World, from: &str, of: &str) -> Result<String> {
    let name = format!("toy-live-web.{of}.svc.cluster.local");
    let found = world
        .exec(from, "client", &format!("busybox nslookup {name}"))
        .await?
        .ok("nslookup")?;
    let address = world.at("svc/toy-live-web", of, "/spec/clusterIP").await?;
    let address = address.as_str().context("the toy has an address")?;
    ensure!(found.contains(address), "{name} is not {address}: {found}");
    Ok(format!("timeout 5 wget -q -O- http://{address}/hostname"))
}

/// A name that exists only in another Instance is not found, and outside an Instance nothing is made.
///
/// proves: EP-038, EP-043
pub async fn references_do_not_cross_instances_and_nothing_lives_outside(
    world: World,
) -> Result<()> {
    let (a, b) = (
        world.instance("cross-a").await?,
        world.instance("cross-b").await?,
    );
    let service = "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {name: db}\n\
                   spec: {displayName: db, classRef: {name: redis}, tier: Development, state: Stopped}\n";
    world.apply_in(&a, service).await?;
    let attached = toy().replace(
        "{applicationRef: {name: toy}}",
        "{applicationRef: {name: toy}, services: [{name: db, prefix: DEFAULT}]}",
    );
    world.apply_in(&b, &attached).await?;
    let what = world
        .until("the Environment says what is missing", || async {
            let blockers = world.at("renv/toy-live", &b, "/status/blockers").await?;
            Ok(blockers
                .to_string()
                .contains("ServiceMissing/db")
                .then_some(blockers))
        })
        .await?;
    ensure!(
        !what.to_string().contains(&a),
        "it looked into the other Instance: {what}"
    );
    world.kubectl("create namespace nobodys").await?;
    world.apply_in("nobodys", toy()).await?;
    let refused = world.until("it says that it stands outside", || async {
        let environment = world
            .get("renv/toy-live", "nobodys")
            .await?
            .unwrap_or_default();
        let stalled =
            super::condition(&environment, "Stalled").is_some_and(|c| c["reason"] == "NoInstance");
        Ok(stalled.then_some(environment))
    });
    ensure!(refused.await?.to_string().contains("NoInstance"));
    let made = world
        .kubectl("get deploy,jobs,secrets,releases.roadstead.dev -n nobodys -o name")
        .await?;
    ensure!(made.trim().is_empty(), "something was made: {made}");
    world
        .kubectl("delete namespace nobodys --wait=false")
        .await?;
    the_instance_that_is_missing_is_named(&world).await?;
    world.remove("cross-a").await?;
    world.remove("cross-b").await
}

/// In a namespace that is labelled for an Instance that nobody made, that Instance is what is missing; and once it is there, all goes on.
async fn the_instance_that_is_missing_is_named(world: &World) -> Result<()> {
    let (ns, whole) = ("instance-unmade", instance_yaml("unmade"));
    let (namespace, _) = whole.split_once("---").context("two objects")?;
    world.apply(namespace).await?;
    world.apply_in(ns, toy()).await?;
    let said = world
        .until("it says which Instance is missing", || async {
            let environment = world.get("renv/toy-live", ns).await?.unwrap_or_default();
            let stalled = super::condition(&environment, "Stalled").cloned();
            Ok(stalled.filter(|c| c["reason"] == "NoInstance"))
        })
        .await?;
    ensure!(
        said["message"]
            .to_string()
            .contains("Instance unmade does not exist"),
        "{said}"
    );
    let fix = world
        .at("renv/toy-live", ns, "/status/blockers/0/fix")
        .await?;
    ensure!(fix.to_string().contains("Create Instance unmade"), "{fix}");
    world.apply(&whole).await?;
    world.condition("renv/toy-live", ns, "Ready").await?;
    world.remove("unmade").await
}
