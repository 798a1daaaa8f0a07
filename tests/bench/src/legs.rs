//! One leg of a block: on a fresh API server and etcd, the floor writes everything, or an operator does.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{
    children, drill,
    figures::{Cost, Worked},
    floor,
    mix::{self, Setting},
    record::{self, Template},
    rig::{self, Operator, Rig, Subject},
};

/// The floor writes what was recorded.
pub async fn floor(template: &Template, n: usize, setting: Setting) -> Result<Cost> {
    let rig = Rig::begin(setting.full, n).await?;
    mix::declare(&rig.client, setting, 0..n).await?;
    let uids = record::uids(&rig.client, 0..n).await?;
    let client = rig.bare_client().await?;
    let own = i32::try_from(std::process::id())?;
    let (servers, bare, begun) = (rig.cpu()?, rig::cpu(own)?, Instant::now());
    floor::write(&client, template, &uids, n).await?;
    let cost = Cost {
        seconds: begun.elapsed().as_secs_f64(),
        servers: rig.cpu()? - servers,
        client: rig::cpu(own)? - bare,
    };
    rig.end()?;
    Ok(cost)
}

/// An operator brings everything about, is started again, is watched for so long while nothing happens, and is asked to repair and to
/// follow.
pub async fn operator(
    subject: &Subject,
    worked: &mut Worked,
    n: usize,
    setting: Setting,
    still: Option<Duration>,
) -> Result<()> {
    let rig = Rig::begin(setting.full, n).await?;
    subject.allow(&rig).await?;
    mix::declare(&rig.client, setting, 0..n).await?;
    let before = rig.cpu()?;
    let operator = Operator::begin(subject, &rig.account)?;
    let mut servers = before;
    let rest = loop {
        let rest = operator
            .at_rest(|| {
                servers = rig.cpu()?;
                Ok(())
            })
            .await?;
        // Without controllers and nodes nothing ever runs, and the operator rests as soon as it has said so.
        if !setting.full || mix::is_ready(&rig.client).await? {
            break rest;
        }
        let late = operator.begun.elapsed() > rig::PATIENCE;
        ensure!(!late, "not everything is Ready");
    };
    worked.costs.push(Cost {
        seconds: rest.last.duration_since(operator.begun).as_secs_f64(),
        servers: servers - before,
        client: rest.cpu,
    });
    worked.requests.push(operator.requests().await?);
    worked.memory.push(operator.memory()?);
    worked.children.push(children::count(&rig.client).await?);
    drop(operator);
    again(subject, worked, n, still, &rig).await?;
    rig.end()
}

async fn again(
    subject: &Subject,
    worked: &mut Worked,
    n: usize,
    still: Option<Duration>,
    rig: &Rig,
) -> Result<()> {
    let again = Operator::begin(subject, &rig.account)?;
    let begun = again.begun;
    let done = again.at_rest(|| Ok(())).await?.done;
    let repeated = again.requests().await?;
    worked
        .restart
        .push(done.duration_since(begun).as_secs_f64());
    worked.restart_writes.push(repeated.writes);
    worked.fresh_memory.push(again.memory()?);
    if let Some(watched) = still {
        worked.still.push(again.still(watched).await?);
    }
    let times = n.min(50);
    worked
        .repair
        .extend(drill::repair(&rig.quick, n, times).await?);
    worked.edit.extend(drill::edit(&rig.quick, n, times).await?);
    if subject.makes_releases() {
        let burst = drill::burst(&rig.quick, n.min(1000));
        worked.burst.push(burst.await?);
    }
    Ok(())
}
