//! The shop's page.

use anyhow::{Context, Result};
use axum::{Router, http::StatusCode, response::Html, routing::get};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{database, version};

/// Serves until it is asked to end, then finishes what it has begun.
pub(crate) async fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    let router = Router::new()
        .route("/", get(front))
        .route("/healthz", get(health));
    println!("version {} listens on port {port}", version());
    let mut end = signal(SignalKind::terminate())?;
    let ended = async move {
        end.recv().await;
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(ended)
        .await
        .context("cannot serve")
}

async fn front() -> (StatusCode, Html<String>) {
    let greeting = std::env::var("GREETING").unwrap_or_default();
    let (status, orders) = match database::newest().await {
        Ok((count, newest)) => (
            StatusCode::OK,
            format!("the newest row of {count}: order {newest}"),
        ),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("no orders can be shown: {error:#}"),
        ),
    };
    (status, Html(page(&greeting, &version(), &orders)))
}

/// Says nothing about the database: a page that explains what is missing is better than none.
async fn health() -> (StatusCode, &'static str) {
    match version().as_str() {
        "broken" => (StatusCode::SERVICE_UNAVAILABLE, "broken\n"),
        _ => (StatusCode::OK, "ok\n"),
    }
}

fn page(greeting: &str, version: &str, orders: &str) -> String {
    let [greeting, version, orders] = [greeting, version, orders].map(escape);
    format!(
        "<!doctype html>\n<title>Shop</title>\n<h1>{greeting}</h1>\n<p>version {version}</p>\n<p>{orders}</p>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_cannot_add_to_the_page() {
        assert!(page("<script>", "1", "").contains("<h1>&lt;script&gt;</h1>"));
    }
}
