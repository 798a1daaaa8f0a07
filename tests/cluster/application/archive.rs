//! How Applications are retired, and brought back.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{live, patched, toy, until_condition, until_gone};
use crate::world::World;

fn archive(more: &str) -> String {
    format!(r#"{{"spec":{{"archive":{{"confirmName":"toy"{more}}}}}}}"#)
}

const UNDO: &str = r#"{"spec":{"archive":null}}"#;

/// An archived Application stands still with its data until its time is over, and comes back if that is taken back before; then it
/// goes with its Environments, and its Services stay.
///
/// proves: DV-079, DV-080, DV-081, DV-082
pub async fn an_archived_application_comes_back_or_goes_when_its_time_is_over(
    world: World,
) -> Result<()> {
    let ns = world.instance("retired").await?;
    let beside = "---\napiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {name: toy-cache}\nspec: {classRef: {name: redis}, storage: {size: 1Gi}}\n\
        ---\napiVersion: roadstead.dev/v1alpha1\nkind: Cronjob\nmetadata: {name: nightly}\nspec: {environmentRef: {name: toy-live}, command: [x], frequency: Daily, time: \"02:30\"}\n";
    let attached = live("toy", "  services: [{name: toy-cache, prefix: DEFAULT}]");
    world
        .apply_in(&ns, &format!("{}{attached}{beside}", toy("toy", "")))
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let claims = format!("get pvc -n {ns} -o name");
    let data = world.kubectl(&claims).await?;
    ensure!(data.contains("toy-cache"), "{data}");
    let wrong = archive("").replace("toy", "Toy");
    let said = patched(&world, "rapp/toy", &ns, "", &wrong).await?;
    said.refused("archive.confirmName must be the name of the Application")?;
    patched(&world, "rapp/toy", &ns, "", &archive(""))
        .await?
        .ok("archive")?;
    until_condition(&world, "renv/toy-live", &ns, "Ready", "ApplicationArchived").await?;
    let at = world.at("rapp/toy", &ns, "/status/deletionAt").await?;
    let since = world.at(
        "rapp/toy",
        &ns,
        "/metadata/annotations/roadstead.dev~1archived-at",
    );
    let time = |value: &Value| {
        value
            .as_str()
            .and_then(|t| t.parse::<jiff::Timestamp>().ok())
    };
    let (since, at) = (time(&since.await?), time(&at));
    let week = jiff::SignedDuration::from_hours(168);
    ensure!(
        since.is_some() && at == since.map(|t| t + week),
        "{since:?} {at:?}"
    );
    let pods = format!(
        "wait pods -n {ns} -l roadstead.dev/environment=toy-live --for=delete --timeout=120s"
    );
    world.kubectl(&pods).await?;
    ensure!(world.kubectl(&claims).await? == data);
    patched(&world, "rapp/toy", &ns, "", UNDO)
        .await?
        .ok("undo")?;
    until_condition(&world, "renv/toy-live", &ns, "Ready", "Running").await?;
    patched(&world, "rapp/toy", &ns, "", &archive(r#","keepFor":"3s""#))
        .await?
        .ok("archive again")?;
    until_gone(&world, "renv/toy-live", &ns).await?;
    until_gone(&world, "rapp/toy", &ns).await?;
    ensure!(world.get("acj/nightly", &ns).await?.is_none());
    let pods = format!("wait deploy,rel --all -n {ns} --for=delete --timeout=120s");
    world.kubectl(&pods).await?;
    ensure!(world.get("msvc/toy-cache", &ns).await?.is_some());
    ensure!(world.kubectl(&claims).await? == data, "the data is gone");
    world.remove("retired").await
}

/// An Application can be archived without a waiting time; and neither one that waits nor one that goes holds up the end of its Instance.
///
/// proves: DV-083
pub async fn an_application_can_be_retired_at_once_and_holds_nothing_up(
    world: World,
) -> Result<()> {
    let ns = world.instance("at-once").await?;
    world
        .apply_in(
            &ns,
            &format!("{}{}", toy("toy", ""), live("toy", "  state: Stopped")),
        )
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let waiting = toy("waits", "  archive: {confirmName: waits}") + &live("waits", "");
    world.apply_in(&ns, &waiting).await?;
    until_condition(&world, "rapp/waits", &ns, "Archived", "Archived").await?;
    let at_once = archive(r#","deleteImmediately":true"#);
    patched(&world, "rapp/toy", &ns, "", &at_once)
        .await?
        .ok("archive")?;
    until_gone(&world, "rapp/toy", &ns).await?;
    ensure!(world.get("renv/toy-live", &ns).await?.is_none());
    world.condition("renv/waits-live", &ns, "Ready").await?;
    // Nothing is guarded: what prunes or deletes an Application by itself succeeds at once.
    let words = format!("delete rapp/waits renv/waits-live -n {ns} --timeout=60s");
    world.kubectl(&words).await?;
    world.apply_in(&ns, &waiting).await?;
    until_condition(&world, "rapp/waits", &ns, "Archived", "Archived").await?;
    world.remove("at-once").await
}
