//! What the operator writes for a few sets, word by word: the floor writes the same for many.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    mix::{self, Setting},
    rig::{Operator, Rig, Subject},
};

/// A write that was carried out.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// What its body is.
    pub content_type: String,
    /// Its body.
    pub body: String,
    /// The UID of the object that was answered with.
    pub uid: Option<String>,
}

/// So many sets are recorded together, for what is told in two steps when one is alone, is told in one when there are many.
pub const RECORDED: usize = 2 * mix::SHARE;

/// What is written for each part of a set, in order.
pub type Parts = BTreeMap<&'static str, Vec<Write>>;

/// What is written for Instances and sets.
#[derive(Debug, Default)]
pub struct Template {
    /// For each Instance, by the number of its first set.
    pub instances: BTreeMap<usize, Vec<Write>>,
    /// For the parts of each set.
    pub sets: BTreeMap<usize, Parts>,
    /// The UIDs of what was declared, by name.
    pub uids: BTreeMap<String, String>,
    /// Bytes that the operator held before anything was declared.
    pub idle: u64,
}

type Shared = Arc<(Client, Mutex<Vec<Write>>)>;

impl Template {
    /// Records it on a cluster of its own.
    pub async fn record(operator: &Subject, setting: Setting) -> Result<Self> {
        let rig = Rig::begin(setting.full, RECORDED).await?;
        let alone = Operator::begin(operator, &rig.account)?;
        alone.at_rest(|| Ok(())).await?;
        let idle = alone.memory()?;
        drop(alone);
        mix::declare(&rig.client, setting, 0..RECORDED).await?;
        let shared: Shared = Arc::new((rig.bare_client().await?, Mutex::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let proxy = tokio::spawn(async move { axum::serve(listener, router).await });
        let file = rig.account.with_file_name("recorded.yaml");
        std::fs::write(&file, kubeconfig(&server))?;
        let operator = Operator::begin(operator, &file)?;
        operator.at_rest(|| Ok(())).await?;
        drop(operator);
        proxy.abort();
        let writes = shared
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut template = Self {
            uids: uids(&rig.client, 0..RECORDED).await?,
            idle,
            ..Self::default()
        };
        for write in writes {
            template.file(write);
        }
        rig.end()?;
        Ok(template)
    }

    /// How many writes there are for so many sets.
    pub fn count(&self, sets: usize) -> usize {
        let instances = (0..sets).step_by(mix::SHARE).map(recorded_as);
        let instances = instances.filter_map(|n| self.instances.get(&n));
        let parts = (0..sets).filter_map(|n| self.sets.get(&recorded_as(n)));
        let parts = parts
            .flat_map(BTreeMap::values)
            .map(Vec::len)
            .sum::<usize>();
        instances.map(Vec::len).sum::<usize>() + parts
    }

    fn file(&mut self, write: Write) {
        // A POST names its object in the body alone.
        let body: Value = serde_json::from_str(&write.body).unwrap_or_default();
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let is_of = |what: &str| write.path.contains(what) || name.contains(what);
        let part = (0..RECORDED).find_map(|n| {
            let set = mix::set(n);
            let mut parts = mix::PARTS.iter();
            let part = parts.find(|(_, part)| is_of(&format!("{set}-{part}")))?;
            Some((n, part.1))
        });
        let first = || {
            let mut all = (0..RECORDED).step_by(mix::SHARE);
            all.find(|n| write.path.contains(&mix::instance(*n)))
        };
        let writes = match part {
            Some((set, part)) => self.sets.entry(set).or_default().entry(part).or_default(),
            None => match first() {
                Some(set) => self.instances.entry(set).or_default(),
                None => return,
            },
        };
        // Sent again because its answer was lost on the way through here, where a bare client would not.
        let before = writes.iter().rfind(|w| w.path == write.path);
        if before.is_none_or(|w| (&w.method, &w.body) != (&write.method, &write.body)) {
            writes.push(write);
        }
    }
}

/// The recorded set that stands for this one.
pub fn recorded_as(set: usize) -> usize {
    set % RECORDED
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::HOST);
    let Ok(body) = to_bytes(body, 16 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let content = parts.headers.get(header::CONTENT_TYPE).cloned();
    let sent = kube::client::Body::from(body.to_vec());
    let answer = shared.0.send(axum::http::Request::from_parts(parts, sent));
    let Ok(answer) = answer.await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (mut head, body) = answer.into_parts();
    // How it came in pieces is not how it goes on.
    head.headers.remove(header::TRANSFER_ENCODING);
    let path = uri.path();
    let counts = method != Method::GET && head.status.is_success() && !path.contains("/events");
    if !counts {
        return Response::from_parts(head, Body::new(body));
    }
    let Ok(said) = body.collect_bytes().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let object: Value = serde_json::from_slice(&said).unwrap_or_default();
    let write = Write {
        method,
        path: uri.path_and_query().map_or(path, |p| p.as_str()).to_owned(),
        content_type: content
            .and_then(|c| c.to_str().map(str::to_owned).ok())
            .unwrap_or_default(),
        body: without_version(&text),
        uid: object["metadata"]["uid"].as_str().map(str::to_owned),
    };
    let mut writes = shared.1.lock().unwrap_or_else(PoisonError::into_inner);
    writes.push(write);
    Response::from_parts(head, Body::from(said))
}

/// A bare client knows no versions.
fn without_version(body: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    if let Some(meta) = value["metadata"].as_object_mut() {
        meta.remove("resourceVersion");
    }
    value.to_string()
}

/// The UIDs of what is declared, by name.
pub async fn uids(
    client: &Client,
    sets: std::ops::Range<usize>,
) -> Result<BTreeMap<String, String>> {
    let mut uids = BTreeMap::new();
    for object in mix::declared(client).await? {
        let uid = object.uid().context("an object without a UID")?;
        uids.insert(object.name_any(), uid);
    }
    anyhow::ensure!(
        uids.len() >= sets.len() * mix::PARTS.len(),
        "not all is there"
    );
    Ok(uids)
}

fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
         clusters: [{{name: proxy, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: proxy, user: {{}}}}]\n\
         contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\n"
    )
}
