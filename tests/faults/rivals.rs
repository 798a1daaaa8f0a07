//! More than one operator, and a Lease that another one has.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    fault::{Fault, On, Rule, Trouble},
    operator::Operator,
    proxy::{Proxy, Writes},
    run::{House, judge},
    story::{Story, until},
};

/// How long a Lease lasts that nobody renews.
const TERM: Duration = Duration::from_secs(15);

/// What each object may tell once more.
const TOLD: Rule = Rule {
    on: On::Writes,
    fault: Fault::Cut,
    one_in: 1,
    most: 12,
};

impl House {
    /// The leader stands still after some writes, for longer than its Lease lasts. Another one takes over; then the first one wakes, and
    /// things change. It writes nothing any more.
    pub async fn paused(&mut self, seed: u64) -> Result<()> {
        let wanted = self.undisturbed().await?;
        let (name, folder) = self.next()?;
        let other = folder.join("other");
        std::fs::create_dir_all(&other)?;
        let account = self.stage.account.clone();
        let quiet = || Trouble::new(&[], 0);
        let proxy = Proxy::begin(&account, quiet(), None).await?;
        let first = Operator::called("the-first", proxy, &folder, Vec::new())?;
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        story.make().await?;
        let after = 1 + wanted.writes.count * (2 * seed - 1) / 12;
        until("it has written some", || async {
            Ok((first.proxy.writes().count >= after).then_some(()))
        })
        .await?;
        first.pause()?;
        let proxy = Proxy::begin(&account, quiet(), None).await?;
        let second = Operator::called("the-second", proxy, &other, Vec::new())?;
        let ended = async {
            story.ready(1).await?;
            story.reaches(&wanted.made).await?;
            first.resume()?;
            story.change().await?;
            story.ready(2).await?;
            story.reaches(&wanted.changed).await?;
            until("the first one knows that it does not lead", || async {
                Ok((first.starts() > 1).then_some(()))
            })
            .await
        };
        let ended = ended.await;
        let (old, new) = (first.proxy.writes(), second.proxy.writes());
        eprintln!("{name}: {} writes, then {}", old.count, new.count);
        first.resume()?;
        first.end().await?;
        second.end().await?;
        ended.with_context(|| format!("the logs are in {}", folder.display()))?;
        let next = new.all.first().context("the second one wrote nothing")?.0;
        let late: Vec<_> = old.all.iter().filter(|(at, _)| *at > next).collect();
        ensure!(
            late.is_empty(),
            "the old leader wrote after the new one: {late:?}, {:?}",
            new.all.first()
        );
        judge(&sum(&old, &new), &wanted.writes, &[])
    }

    /// Somebody else writes himself into the Lease. The operator stops writing before its own term is over, and goes on once the Lease is
    /// free again.
    pub async fn stolen(&mut self) -> Result<()> {
        let wanted = self.undisturbed().await?;
        let (name, folder) = self.next()?;
        let proxy = Proxy::begin(&self.stage.account, Trouble::new(&[], 0), None).await?;
        let operator = Operator::begin(proxy, &folder)?;
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        story.make().await?;
        story.ready(1).await?;
        story.reaches(&wanted.made).await?;
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
            Api::namespaced(self.stage.client.clone(), "roadstead-system");
        let hold = async |holder: Option<&str>| {
            let now = format!("{:.6}", jiff::Timestamp::now());
            let spec = json!({"spec": {"holderIdentity": holder, "renewTime": now}});
            let params = PatchParams::default();
            leases
                .patch("roadstead", &params, &Patch::Merge(spec))
                .await
        };
        hold(Some("a-thief")).await?;
        until("it knows that it does not lead", || async {
            Ok((operator.starts() > 1).then_some(()))
        })
        .await?;
        let before = operator.proxy.writes().count;
        story.change().await?;
        // The thief holds on for as long as a Lease lasts that nobody renews.
        for _ in 0..TERM.as_secs() / 5 {
            hold(Some("a-thief")).await?;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let meanwhile = operator.proxy.writes().count;
        hold(None).await?;
        let ended = async {
            story.ready(2).await?;
            story.reaches(&wanted.changed).await
        };
        let ended = ended.await;
        let writes = operator.proxy.writes();
        operator.end().await?;
        ended.with_context(|| format!("the logs are in {}", folder.display()))?;
        ensure!(meanwhile == before, "it wrote while somebody else led");
        judge(&writes, &wanted.writes, &[])
    }

    /// A program of the control plane is killed after some writes, and comes back.
    pub async fn outage(&mut self, program: &str, seed: u64) -> Result<()> {
        let wanted = self.undisturbed().await?;
        let (name, folder) = self.next()?;
        let proxy = Proxy::begin(&self.stage.account, Trouble::new(&[], 0), None).await?;
        let operator = Operator::begin(proxy, &folder)?;
        let client = self.stage.client.clone();
        let story = Story {
            client: &client,
            name: &name,
        };
        story.make().await?;
        let after = 1 + wanted.writes.count * (2 * seed - 1) / 12;
        until("it has written some", || async {
            Ok((operator.proxy.writes().count >= after).then_some(()))
        })
        .await?;
        self.stage.outage(program).await?;
        let ended = async {
            story.ready(1).await?;
            story.reaches(&wanted.made).await?;
            story.change().await?;
            story.ready(2).await?;
            story.reaches(&wanted.changed).await
        };
        let ended = ended.await;
        let writes = operator.proxy.writes();
        let starts = operator.starts();
        eprintln!("{name}: {} writes, {starts} starts", writes.count);
        operator.end().await?;
        ended.with_context(|| format!("the logs are in {}", folder.display()))?;
        // A server that has just started refuses what it has not read the rights of yet, and that is told.
        judge(&writes, &wanted.writes, &[(TOLD, 12)])
    }
}

fn sum(old: &Writes, new: &Writes) -> Writes {
    let mut all = old.clone();
    all.count += new.count;
    for (plural, count) in &new.made {
        *all.made.entry(plural.clone()).or_default() += count;
    }
    all
}
