//! The way to the API server: one connection pool for writes, one for watches and one for the rest, a deadline on every request, and a
//! fence.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config, Resource,
    api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions},
    client::{Body, ConfigExt},
};
use serde_json::Value;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use super::{
    fence::Fence,
    fenced::Fencing,
    metrics::{self, Metrics},
    trouble::{Cause, Trouble},
    wire::{Wire, resource},
};
use crate::{api, plan::Id};

/// No request about an object takes longer.
const DEADLINE: Duration = Duration::from_secs(20);
/// After this, a server that has not even begun to answer is given up, whatever was asked: kube's lists and watches wait for ever.
const SILENCE: Duration = Duration::from_secs(60);

/// How much is read at once. Each watch has a connection of its own, and what one list needed once would be held for good.
const BUFFER: usize = 16 << 10;

/// A client that keeps its connections honest: kube's own keeps none alive and retries inside a call for minutes. It sends nothing while
/// the fence is shut.
pub fn client(config: &Config, metrics: &Arc<Metrics>, fence: Fence) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    connector.set_keepalive(Some(Duration::from_secs(30)));
    connector.set_keepalive_interval(Some(Duration::from_secs(10)));
    connector.set_keepalive_retries(Some(3));
    let https = config.rustls_https_connector_with_connector(Fencing { connector, fence })?;
    let http: Http<_, Body> = Http::builder(TokioExecutor::new())
        .http1_read_buf_exact_size(BUFFER)
        .build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .layer_fn(|inner| Counted {
            inner,
            metrics: metrics.clone(),
        })
        .map_err(BoxError::from)
        .timeout(SILENCE)
        .service(http);
    Ok(Client::new(
        service.boxed(),
        config.default_namespace.clone(),
    ))
}

/// Counts every request, watches too.
#[derive(Clone)]
struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method().to_string();
        let metrics = self.metrics.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or_else(
                |_| "<error>".to_owned(),
                |r| r.status().as_u16().to_string(),
            );
            let labels = metrics::Request { code, method };
            metrics.requests.get_or_create(&labels).inc();
            answer
        })
    }
}

/// Requests about single objects.
#[derive(Clone)]
pub struct Requests {
    client: Client,
    fence: Fence,
}

/// How an object is named in a URL.
fn at(id: &Id) -> kube::core::Request {
    let ns = id.of.entry().namespaced.then_some(&*id.ns);
    kube::core::Request::new(Wire::url_path(&resource(id.of.entry()), ns))
}

fn by(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    }
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

type Built = Result<Request<Vec<u8>>, kube::core::request::Error>;

impl Requests {
    /// Requests by this client, as long as the fence holds.
    pub fn new(client: Client, fence: Fence) -> Self {
        Self { client, fence }
    }

    /// The live object, if there is one.
    pub async fn get(&self, id: &Id) -> Result<Option<Wire>, Trouble> {
        let built = at(id).get(&id.name, &GetParams::default());
        match self.ask(id, "get", built).await {
            Ok(wire) => Ok(Some(wire)),
            Err(trouble) if trouble.cause == Cause::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Server-side apply; `force` takes fields from other managers.
    pub async fn apply(
        &self,
        id: &Id,
        manager: &str,
        force: bool,
        body: &Value,
    ) -> Result<Wire, Trouble> {
        let params = PatchParams {
            force,
            ..by(manager)
        };
        let built = at(id).patch(&id.name, &params, &Patch::Apply(body));
        self.write(id, "patch", built).await
    }

    /// JSON merge patch.
    pub async fn merge(&self, id: &Id, body: &Value) -> Result<Wire, Trouble> {
        let built = at(id).patch(&id.name, &by(api::MANAGER), &Patch::Merge(body));
        self.write(id, "patch", built).await
    }

    /// JSON merge patch of the status.
    pub async fn merge_status(&self, id: &Id, body: &Value) -> Result<Wire, Trouble> {
        let params = by(api::MANAGER);
        let built = at(id).patch_subresource("status", &id.name, &params, &Patch::Merge(body));
        self.write(id, "patch status of", built).await
    }

    /// POST.
    pub async fn create(&self, id: &Id, body: &Value) -> Result<Wire, Trouble> {
        let built = at(id).create(&post(), bytes(body));
        self.write(id, "create", built).await
    }

    /// PUT.
    pub async fn replace(&self, id: &Id, body: &Value) -> Result<Wire, Trouble> {
        let built = at(id).replace(&id.name, &post(), bytes(body));
        self.write(id, "update", built).await
    }

    /// DELETE of the object of this UID and resource version.
    pub async fn delete(&self, id: &Id, uid: &str, rv: u64) -> Result<(), Trouble> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(rv.to_string()),
            }),
            ..DeleteParams::background()
        };
        let built = at(id).delete(&id.name, &params);
        self.write(id, "delete", built).await.map(|_| ())
    }

    async fn write(&self, id: &Id, verb: &'static str, built: Built) -> Result<Wire, Trouble> {
        if !self.fence.holds() {
            return Err(Trouble::new(id, verb, Cause::Fenced));
        }
        self.ask(id, verb, built).await
    }

    async fn ask(&self, id: &Id, verb: &'static str, built: Built) -> Result<Wire, Trouble> {
        let request =
            built.map_err(|e| Trouble::new(id, verb, Cause::Unreachable(e.to_string())))?;
        match within(DEADLINE, self.client.request::<Wire>(request)).await {
            Ok(wire) => Ok(wire),
            Err(cause) => Err(Trouble::new(id, verb, cause)),
        }
    }
}

fn post() -> PostParams {
    PostParams {
        field_manager: Some(api::MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// The answer, if it comes in time: kube sets no deadline of its own.
pub async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Cause> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Cause::from(error)),
        Err(_) => Err(Cause::Unreachable("no answer in time".to_owned())),
    }
}
