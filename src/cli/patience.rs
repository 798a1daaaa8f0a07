//! How long one request is waited for, and what is said meanwhile: a server that does not answer must not look like work.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use jiff::SignedDuration;
use tower::{BoxError, Layer, Service};

use super::progress::note;

/// From then on a person is told that it takes long.
const LONG: Duration = Duration::from_secs(5);

/// How long one request is waited for.
#[derive(Clone)]
pub struct Patience {
    server: Arc<str>,
    limit: Duration,
    told: Arc<AtomicBool>,
}

/// The server has not begun to answer in time.
#[derive(Debug, thiserror::Error)]
#[error("{server} has not answered within {limit:#}")]
pub struct Silence {
    server: Arc<str>,
    limit: SignedDuration,
}

impl Patience {
    /// With this server, so long for each request; for ever where that is zero.
    pub fn with(server: &str, limit: Duration) -> Self {
        Self {
            server: server.trim_end_matches('/').into(),
            limit,
            told: Arc::default(),
        }
    }

    /// Waits for the beginning of an answer.
    async fn wait<T>(
        self,
        answer: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, BoxError> {
        let mut answer = std::pin::pin!(answer);
        let limit = match self.limit {
            Duration::ZERO => Duration::MAX,
            limit => limit,
        };
        let early = tokio::time::timeout(LONG.min(limit), &mut answer).await;
        let answered = match early {
            Ok(answered) => Ok(answered),
            Err(_) => {
                self.tell();
                tokio::time::timeout(limit.saturating_sub(LONG), answer).await
            }
        };
        let Ok(answered) = answered else {
            let limit = SignedDuration::try_from(self.limit).unwrap_or_default();
            let server = self.server;
            return Err(Silence { server, limit }.into());
        };
        self.told.store(false, Ordering::Relaxed);
        answered
    }

    /// Says so once, until it has answered.
    fn tell(&self) {
        if !self.told.swap(true, Ordering::Relaxed) {
            note(&format!(
                "{} has not answered for {LONG:?}: still waiting",
                self.server
            ));
        }
    }
}

impl<S> Layer<S> for Patience {
    type Service = Patient<S>;

    fn layer(&self, inner: S) -> Patient<S> {
        Patient {
            inner,
            patience: self.clone(),
        }
    }
}

/// Requests that are not waited for without end.
#[derive(Clone)]
pub struct Patient<S> {
    inner: S,
    patience: Patience,
}

impl<S, B> Service<Request<B>> for Patient<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The answer to these begins with the first line that is written.
        let follows = request.uri().query().is_some_and(|q| q.contains("follow="));
        let answer = self.inner.call(request);
        let answer = async move { answer.await.map_err(Into::into) };
        let patience = self.patience.clone();
        if follows {
            return Box::pin(answer);
        }
        Box::pin(patience.wait(answer))
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    async fn ask(uri: &str, seconds: u64) -> Result<(), BoxError> {
        let limit = Duration::from_secs(seconds);
        let silent = service_fn(|_: Request<()>| std::future::pending::<Result<(), BoxError>>());
        let service = ServiceBuilder::new()
            .layer(Patience::with("https://10.0.0.1:6443/", limit))
            .service(silent);
        service.oneshot(Request::get(uri).body(())?).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up_and_named() {
        for seconds in [2, 30] {
            let silence = ask("/api", seconds).await.unwrap_err();
            assert_eq!(
                silence.to_string(),
                format!("https://10.0.0.1:6443 has not answered within {seconds}s")
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_are_followed_may_come_whenever_they_come() {
        let day = Duration::from_secs(86_400);
        let waits = tokio::time::timeout(day, ask("/api/log?follow=true", 30)).await;
        assert!(waits.is_err());
        let waits = tokio::time::timeout(day, ask("/api", 0)).await;
        assert!(waits.is_err(), "without a limit");
    }
}
