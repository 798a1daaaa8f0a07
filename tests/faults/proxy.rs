//! What stands between the operator and the API server: it passes everything on, but for what is to go wrong, and counts the writes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::Response,
};
use futures::stream;
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::{
    events,
    fault::{Fault, On, Strike, Trouble},
};

/// A proxy that runs until it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    upstream: Client,
    trouble: Trouble,
    /// After which write the operator is to be killed.
    crash: Option<u64>,
    fell: Notify,
    writes: Mutex<Writes>,
    /// The first answer to each list.
    lists: Mutex<BTreeMap<String, Bytes>>,
}

/// The writes that the API server has carried out.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// How many there were, without the Lease and Events.
    pub count: u64,
    /// How many objects were made, by the word in URLs.
    pub made: BTreeMap<String, u64>,
    /// When each of them was answered, and what it was.
    pub all: Vec<(Instant, String)>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy to the cluster and user of this kubeconfig.
    pub async fn begin(
        kubeconfig: &std::path::Path,
        trouble: Trouble,
        crash: Option<u64>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            upstream: client(kubeconfig).await?,
            trouble,
            crash,
            fell: Notify::new(),
            writes: Mutex::default(),
            lists: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Waits until the write has come after which the operator is to be killed.
    pub async fn fell(&self) {
        self.shared.fell.notified().await;
    }

    /// The writes so far.
    pub fn writes(&self) -> Writes {
        self.shared.writes().clone()
    }

    /// What has gone wrong so far.
    pub fn trouble(&self) -> &Trouble {
        &self.shared.trouble
    }
}

/// A client of this kubeconfig that retries nothing by itself.
pub async fn client(kubeconfig: &std::path::Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    config.read_timeout = None;
    Ok(Client::try_from(config)?)
}

impl Shared {
    fn writes(&self) -> std::sync::MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write that was carried out, and says whether it is the one to crash after.
    fn count(&self, method: &Method, path: &str, status: StatusCode) -> bool {
        if !status.is_success() {
            return false;
        }
        let mut writes = self.writes();
        writes.count += 1;
        let what = format!("{method} {path}");
        writes.all.push((Instant::now(), what));
        if status == StatusCode::CREATED {
            let plural = match *method {
                Method::POST => path.rsplit('/').next(),
                _ => path.rsplit('/').nth(1),
            };
            *writes
                .made
                .entry(plural.unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        self.crash == Some(writes.count)
    }
}

/// What a request is, as far as rules are concerned.
fn on(request: &Request) -> Option<On> {
    let (path, query) = (request.uri().path(), request.uri().query());
    let has = |part: &str| query.is_some_and(|q| q.split('&').any(|p| p == part));
    let read = request.method() == Method::GET;
    match read {
        true if has("watch=true") || has("watch=1") => Some(On::Watches),
        true if path.contains("/leases") => None,
        true if query.is_some_and(|q| q.contains("limit=")) => Some(On::Lists),
        true => None,
        // It asks what would be.
        false if has("dryRun=All") => None,
        false if path.contains("/leases") => Some(On::Lease),
        false if path.contains("/events") => None,
        false => Some(On::Writes),
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let on = on(&request);
    let strike = on.and_then(|on| shared.trouble.choose(on));
    match strike {
        None if on == Some(On::Lists) => shared.listed(request).await.0,
        None => passed_on(&shared, on, request).await,
        Some(strike) if on == Some(On::Watches) => watched(&shared, request, strike).await,
        Some(strike) if on == Some(On::Lists) => listed(&shared, request, strike).await,
        Some(strike) => {
            strike.count();
            struck(&shared, on, request, strike).await
        }
    }
}

async fn struck(
    shared: &Arc<Shared>,
    on: Option<On>,
    request: Request,
    strike: Strike,
) -> Response {
    match strike.fault {
        Fault::Refused(code) => refused(code),
        Fault::Cut => cut(),
        Fault::Hangs => std::future::pending().await,
        Fault::AnswerCut => {
            passed_on(shared, on, request).await;
            cut()
        }
        Fault::AnswerHangs => {
            passed_on(shared, on, request).await;
            std::future::pending().await
        }
        Fault::AnswerRefused(code) => {
            passed_on(shared, on, request).await;
            refused(code)
        }
        _ => passed_on(shared, on, request).await,
    }
}

/// Passes a request on in a task of its own: the write of an operator that is killed meanwhile takes place all the same, and counts.
async fn passed_on(shared: &Arc<Shared>, on: Option<On>, request: Request) -> Response {
    let shared = shared.clone();
    let passed = tokio::spawn(async move {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = forward(&shared, request).await;
        let falls = on == Some(On::Writes) && shared.count(&method, &path, answer.status());
        if falls {
            shared.fell.notify_one();
        }
        (answer, falls)
    });
    match passed.await {
        Ok((answer, false)) => answer,
        Ok((_, true)) => std::future::pending().await,
        Err(_) => cut(),
    }
}

async fn forward(shared: &Shared, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::CONTENT_LENGTH);
    // What the operator accepts it gets; what we accept for ourselves is none of its business.
    let Ok(body) = to_bytes(body, 16 << 20).await else {
        return cut();
    };
    let request = kube::client::Body::from(body.to_vec());
    let request = axum::http::Request::from_parts(parts, request);
    match shared.upstream.send(request).await {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            parts.headers.remove(header::TRANSFER_ENCODING);
            Response::from_parts(parts, Body::new(body))
        }
        Err(_) => cut(),
    }
}

impl Shared {
    /// A list as it is, and as it was when it was asked for the first time.
    async fn listed(&self, request: Request) -> (Response, Option<Bytes>) {
        let what = request.uri().to_string();
        let answer = forward(self, request).await;
        if !answer.status().is_success() {
            return (answer, None);
        }
        let (mut parts, body) = answer.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        let Ok(now) = to_bytes(body, 64 << 20).await else {
            return (cut(), None);
        };
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let first = lists.get(&what).cloned();
        lists.entry(what).or_insert_with(|| now.clone());
        (Response::from_parts(parts, Body::from(now)), first)
    }
}

/// A list with which something goes wrong.
async fn listed(shared: &Shared, request: Request, strike: Strike) -> Response {
    if let Fault::Refused(code) = strike.fault {
        strike.count();
        return refused(code);
    }
    let (answer, first) = shared.listed(request).await;
    let (parts, body) = answer.into_parts();
    let now = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let told = match (strike.fault, first) {
        (Fault::Stale, Some(first)) if first != now => first,
        _ => return Response::from_parts(parts, Body::from(now)),
    };
    strike.count();
    Response::from_parts(parts, Body::from(told))
}

/// A watch in which something goes wrong: event by event.
async fn watched(shared: &Shared, request: Request, strike: Strike) -> Response {
    let code = match strike.fault {
        Fault::Refused(code) => Some(code),
        _ => None,
    };
    if let Some(code) = code {
        strike.count();
        return refused(code);
    }
    let answer = forward(shared, request).await;
    if !answer.status().is_success() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from_stream(events::of(body, strike)))
}

/// An answer that breaks off: the connection goes with it.
fn cut() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    Response::new(Body::from_stream(broken))
}

fn refused(code: u16) -> Response {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let mut answer = Response::new(Body::from(status(code, reason).to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if code == 429 {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    answer
}

/// What the API server says of a failure.
pub fn status(code: u16, reason: &str) -> serde_json::Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "put in the way by a test", "reason": reason, "code": code,
        "details": {"retryAfterSeconds": u8::from(code == 429)},
    })
}
