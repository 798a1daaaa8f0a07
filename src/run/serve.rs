//! What others may ask this process: whether it lives, whether it is ready, and what it counted.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;

use super::{cache::Cache, metrics::Metrics};

/// Answer at this address, for ever. Ready is who knows all there is, once the API server takes our objects: so whoever waits for the
/// operator can write them.
pub async fn serve(
    listen: SocketAddr,
    cache: Arc<Cache>,
    taken: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let ready = move || {
        let code = if cache.settled() && taken.load(Ordering::Relaxed) {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        std::future::ready(code)
    };
    let text = move || std::future::ready(metrics.text());
    let app = Router::new()
        .route("/healthz", get(|| std::future::ready(StatusCode::OK)))
        .route("/readyz", get(ready))
        .route("/metrics", get(text));
    axum::serve(TcpListener::bind(listen).await?, app).await
}
