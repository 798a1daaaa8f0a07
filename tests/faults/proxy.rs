//! What stands between the operator and the API server: it passes everything on, but for what is to go wrong, and counts the writes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::Response,
};
use futures::{StreamExt, stream};
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::fault::{Fault, On, Strike, Trouble};

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
}

/// The writes that the API server has carried out.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// How many there were, without the Lease and Events.
    pub count: u64,
    /// How many objects were made, by the word in URLs.
    pub made: BTreeMap<String, u64>,
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
        false if path.contains("/leases") => Some(On::Lease),
        false if path.contains("/events") => None,
        false => Some(On::Writes),
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let on = on(&request);
    let strike = on.and_then(|on| shared.trouble.choose(on));
    match strike {
        None => passed_on(&shared, on, request).await,
        Some(strike) if on == Some(On::Watches) => watched(&shared, request, strike).await,
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
    Response::from_parts(parts, Body::from_stream(events(body, strike)))
}

type Piece = Result<Bytes, std::io::Error>;

/// The events of a watch, as the fault lets them through.
fn events(body: Body, strike: Strike) -> impl futures::Stream<Item = Piece> + Send {
    let source = body.into_data_stream().boxed();
    let state = (source, Vec::new(), 0_u64, strike, false);
    stream::unfold(
        state,
        async |(mut source, mut rest, mut told, strike, over)| {
            if over {
                return None;
            }
            let line = loop {
                if let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let tail = rest.split_off(end + 1);
                    break std::mem::replace(&mut rest, tail);
                }
                match source.next().await {
                    Some(Ok(piece)) => rest.extend_from_slice(&piece),
                    _ => return None,
                }
            };
            told += 1;
            let (piece, over) = told_wrong(line, told, &strike).await;
            Some((piece, (source, rest, told, strike, over)))
        },
    )
}

/// One event, and whether the watch is over with it.
async fn told_wrong(line: Vec<u8>, told: u64, strike: &Strike) -> (Piece, bool) {
    match strike.fault {
        Fault::Breaks(after) if told > after => {
            strike.count();
            (Err(std::io::Error::other("broken off")), true)
        }
        Fault::Ends(after) if told > after => {
            strike.count();
            (Ok(Bytes::new()), true)
        }
        Fault::Expires(after) if told > after => {
            strike.count();
            let mut said = status(410, "Expired").to_string();
            said = format!("{{\"type\":\"ERROR\",\"object\":{said}}}\n");
            (Ok(said.into()), true)
        }
        Fault::Stalls(after, time) if told == after + 1 => {
            strike.count();
            tokio::time::sleep(time).await;
            (Ok(line.into()), false)
        }
        Fault::Repeats => {
            strike.count();
            (Ok([line.clone(), line].concat().into()), false)
        }
        Fault::Late(most) => {
            strike.count();
            let most = u64::try_from(most.as_millis()).unwrap_or(1).max(1);
            let roll = strike.roll.rotate_left(told as u32 % 64);
            tokio::time::sleep(Duration::from_millis(roll % most)).await;
            (Ok(line.into()), false)
        }
        _ => (Ok(line.into()), false),
    }
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

fn status(code: u16, reason: &str) -> serde_json::Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "put in the way by a test", "reason": reason, "code": code,
        "details": {"retryAfterSeconds": u8::from(code == 429)},
    })
}
