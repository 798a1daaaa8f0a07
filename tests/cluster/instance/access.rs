//! Who may do what in an Instance, and how much it may use.

use anyhow::{Result, ensure};

use super::{OPERATOR, pod, toy};
use crate::world::World;

/// Who is on the access list of one Instance may do there what the list says, and nothing elsewhere.
///
/// proves: EP-037
pub async fn access_to_one_instance_is_none_to_another(world: World) -> Result<()> {
    let (a, b) = (
        world.instance("open-a").await?,
        world.instance("open-b").await?,
    );
    let access = r#"{"spec":{"access":[{"kind":"User","name":"Vera.Viewer@example.com","role":"Viewer"},
        {"kind":"Group","name":"open-developers","role":"Developer"},{"kind":"ServiceAccount","name":"ci","role":"Admin"}]}}"#;
    world.patch("open-a", access).await?.ok("patch")?;
    let viewer = "--as=Vera.Viewer@example.com".to_owned();
    let developer = "--as=dora --as-group=open-developers".to_owned();
    let admin = format!("--as=system:serviceaccount:{a}:ci");
    for (who, what, where_, may) in [
        (&viewer, "get renv", &a, true),
        (&viewer, "get secrets", &a, false),
        (&viewer, "create renv", &a, false),
        (&viewer, "get renv", &b, false),
        (&developer, "create renv", &a, true),
        (&developer, "get secrets", &a, false),
        (&developer, "get renv", &b, false),
        (&admin, "get secrets", &a, true),
        (&admin, "get secrets", &b, false),
        (&admin, "patch renv --subresource=status", &a, false),
    ] {
        world
            .until(&format!("{who} may {what} in {where_}: {may}"), || async {
                let said = world
                    .try_kubectl(&format!("auth can-i {what} -n {where_} {who}"))
                    .await?;
                Ok(((said.code == 0) == may).then_some(()))
            })
            .await?;
    }
    world
        .patch("open-a", r#"{"spec":{"access":null}}"#)
        .await?
        .ok("patch")?;
    world
        .until("who is off the list may nothing", || async {
            let said = world
                .try_kubectl(&format!("auth can-i get renv -n {a} {viewer}"))
                .await?;
            Ok((said.code != 0).then_some(()))
        })
        .await?;
    world.remove("open-a").await?;
    world.remove("open-b").await
}

/// A quota holds in the Instance that has it and in no other.
///
/// proves: EP-050
pub async fn a_quota_holds_in_its_own_instance(world: World) -> Result<()> {
    let (a, b) = (
        world.instance("narrow-a").await?,
        world.instance("narrow-b").await?,
    );
    world
        .patch(
            "narrow-a",
            r#"{"spec":{"quota":{"pods":"2","requests.memory":"1Gi"}}}"#,
        )
        .await?
        .ok("patch")?;
    world.until_status("narrow-a", "/state", "ready").await?;
    world
        .until("the quota is counted", || async {
            let used = world
                .at("quota/roadstead-quota", &a, "/status/used/pods")
                .await?;
            Ok((used == "0").then_some(()))
        })
        .await?;
    for ns in [&a, &b] {
        world.apply_in(ns, &pod("one", "sleep 3600")).await?;
        world.apply_in(ns, &pod("two", "sleep 3600")).await?;
    }
    let third = pod("three", "sleep 3600");
    let refused = world
        .run(&["kubectl", "apply", "-n", &a, "-f", "-"], Some(&third))
        .await?;
    refused.refused("exceeded quota: roadstead-quota")?;
    world.apply_in(&b, &third).await?;
    let request = world
        .at(
            "pod/one",
            &a,
            "/spec/containers/0/resources/requests/memory",
        )
        .await?;
    ensure!(
        request == "64Mi",
        "a pod that asks for nothing has no default"
    );
    world
        .patch("narrow-a", r#"{"spec":{"quota":null}}"#)
        .await?
        .ok("patch")?;
    world
        .until("the quota is lifted", || async {
            let said = world
                .run(&["kubectl", "apply", "-n", &a, "-f", "-"], Some(&third))
                .await?;
            Ok((said.code == 0).then_some(()))
        })
        .await?;
    world.remove("narrow-a").await?;
    world.remove("narrow-b").await
}

/// In a frozen Instance nobody changes what is declared, and what runs goes on.
pub async fn a_frozen_instance_takes_no_changes_and_runs_on(world: World) -> Result<()> {
    let ns = world.instance("frozen").await?;
    world.apply_in(&ns, toy()).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    world
        .patch("frozen", r#"{"spec":{"state":"Frozen"}}"#)
        .await?
        .ok("patch")?;
    world.until_status("frozen", "/state", "frozen").await?;
    let label = world
        .at(
            &format!("ns/{ns}"),
            &ns,
            "/metadata/labels/roadstead.dev~1state",
        )
        .await?;
    ensure!(label == "Frozen");
    for words in [
        format!(
            "patch renv/toy-live -n {ns} --type=merge -p {{\"spec\":{{\"state\":\"Stopped\"}}}}"
        ),
        format!("delete renv/toy-live -n {ns}"),
        format!("delete rapp --all -n {ns}"),
        format!("label rapp/toy -n {ns} a=b"),
    ] {
        world.try_kubectl(&words).await?.refused("is Frozen")?;
    }
    world.condition("renv/toy-live", &ns, "Ready").await?;
    world
        .patch("frozen", r#"{"spec":{"state":null}}"#)
        .await?
        .ok("patch")?;
    world.until_status("frozen", "/state", "ready").await?;
    world
        .kubectl(&format!("label rapp/toy -n {ns} a=b"))
        .await?;
    world
        .patch("frozen", r#"{"spec":{"state":"Frozen"}}"#)
        .await?
        .ok("patch")?;
    world.until_status("frozen", "/state", "frozen").await?;
    world.remove("frozen").await
}

/// What somebody else made is left alone: Namespaces without the label, and objects under a name that the Instance needs.
pub async fn what_is_not_ours_is_never_taken_over(world: World) -> Result<()> {
    world.kubectl("create namespace instance-foreign").await?;
    world.apply("apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {name: foreign}\nspec: {name: foreign, description: x}\n").await?;
    let refused = world.until("the Instance says that its Namespace is taken", || async {
        let object = world.of_name("foreign").await?.unwrap_or_default();
        Ok(super::condition(&object, "Stalled")
            .is_some_and(|c| c["reason"] == "NameTaken")
            .then_some(object))
    });
    let refused = refused.await?;
    let fix = "label namespace instance-foreign roadstead.dev/instance=foreign";
    ensure!(
        refused["status"]["blockers"].to_string().contains(fix),
        "{refused}"
    );
    let labels = world
        .at("ns/instance-foreign", "default", "/metadata/labels")
        .await?;
    ensure!(
        !labels.to_string().contains("roadstead"),
        "it was taken over: {labels}"
    );
    world.kubectl(fix).await?;
    world.condition("rinst/foreign", "default", "Ready").await?;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: mine}\nstringData: {a: b}\n";
    world.apply_in("instance-foreign", secret).await?;
    let theirs = format!("label secret/mine -n instance-foreign a=b --as={OPERATOR}");
    world.try_kubectl(&theirs).await?.refused("NameTaken")?;
    let outside = format!("create configmap x -n kube-system --as={OPERATOR}");
    ensure!(world.try_kubectl(&outside).await?.code != 0);
    world.remove("foreign").await
}
