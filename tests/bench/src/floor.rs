//! The floor: a bare client that knows beforehand what to write, and writes nothing else, so many at once as the operator.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use axum::http::{Request, header};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde_json::Value;

use crate::{
    mix,
    record::{Template, Write, recorded_as},
};

/// Words of the template, and what stands in their place.
type Words = Vec<(String, String)>;

/// Writes everything for so many sets.
pub async fn write(
    client: &Client,
    template: &Template,
    uids: &BTreeMap<String, String>,
    sets: usize,
) -> Result<()> {
    let instances: Vec<usize> = (0..sets).step_by(mix::SHARE).collect();
    chains(
        client,
        template,
        uids,
        instances.into_iter().map(|n| (n, None)),
    )
    .await?;
    let parts = (0..sets).flat_map(|n| mix::PARTS.map(|(_, part)| (n, Some(part))));
    chains(client, template, uids, parts).await
}

async fn chains(
    client: &Client,
    template: &Template,
    uids: &BTreeMap<String, String>,
    all: impl Iterator<Item = (usize, Option<&'static str>)>,
) -> Result<()> {
    stream::iter(all)
        .map(Ok)
        .try_for_each_concurrent(mix::AT_ONCE, async |(set, part)| {
            let recorded = recorded_as(set);
            let writes = match part {
                None => template.instances.get(&recorded),
                Some(part) => template.sets.get(&recorded).and_then(|s| s.get(part)),
            };
            let writes = writes.context("nothing was recorded for it")?;
            let mut words = words(template, uids, set);
            for write in writes {
                send(client, write, &mut words).await?;
            }
            Ok(())
        })
        .await
}

fn words(template: &Template, uids: &BTreeMap<String, String>, set: usize) -> Words {
    let recorded = recorded_as(set);
    let names = [
        (mix::instance(recorded), mix::instance(set)),
        (mix::set(recorded), mix::set(set)),
    ];
    let mut words: Words = Vec::new();
    let is_own = |name: &str| names.iter().any(|(from, _)| name.contains(from.as_str()));
    for (name, uid) in template.uids.iter().filter(|(name, _)| is_own(name)) {
        let mut own = name.clone();
        for (from, to) in &names {
            own = own.replace(from, to);
        }
        if let Some(own) = uids.get(&own) {
            stands_for(&mut words, uid, own);
        }
    }
    words.extend(names);
    words
}

/// One UID for another, also where only its beginning is used.
fn stands_for(words: &mut Words, uid: &str, own: &str) {
    words.push((uid.to_owned(), own.to_owned()));
    if let Some((short, own)) = uid.get(..8).zip(own.get(..8)) {
        words.push((short.to_owned(), own.to_owned()));
    }
}

async fn send(client: &Client, write: &Write, words: &mut Words) -> Result<()> {
    let fill = |text: &str| {
        words
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let path = fill(&write.path);
    let request = Request::builder()
        .method(write.method.clone())
        .uri(&path)
        .header(header::CONTENT_TYPE, &write.content_type)
        .header(header::ACCEPT, "application/json")
        .body(kube::client::Body::from(fill(&write.body).into_bytes()))?;
    let answer = client.send(request).await?;
    let status = answer.status();
    let said = answer.into_body().collect_bytes().await?;
    let what = || {
        format!(
            "{} {path}: {}",
            write.method,
            String::from_utf8_lossy(&said)
        )
    };
    ensure!(status.is_success(), what());
    if let Some(uid) = &write.uid
        && !words.iter().any(|(from, _)| from == uid)
    {
        let object: Value = serde_json::from_slice(&said)?;
        if let Some(own) = object["metadata"]["uid"].as_str() {
            stands_for(words, uid, own);
        }
    }
    Ok(())
}
