//! Whether an address answers: what `helm test` asks from inside the cluster. The image holds no other program that could.

use std::time::Duration;

use http::{Request, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kube::client::Body;
use tokio::time::timeout;
use tower::BoxError;

/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A GET of this address is answered with success, in time.
pub async fn probe(address: Uri) -> Result<(), BoxError> {
    let ask = Request::get(address).body(Body::empty())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = timeout(DEADLINE, client.request(ask)).await??;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("the answer is {}", answer.status()).into())
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, routing::get};
    use tokio::net::TcpListener;

    use super::*;

    /// The address of a server whose `/readyz` answers like this.
    async fn answering(code: StatusCode) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/readyz", get(move || std::future::ready(code)));
        tokio::spawn(axum::serve(listener, app).into_future());
        format!("http://{address}/readyz")
    }

    #[tokio::test]
    async fn what_answers_that_it_is_ready_passes() {
        let address = answering(StatusCode::OK).await;
        probe(address.parse().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn what_answers_that_it_is_not_ready_fails() {
        let address = answering(StatusCode::SERVICE_UNAVAILABLE).await;
        probe(address.parse().unwrap()).await.unwrap_err();
    }

    #[tokio::test]
    async fn where_nothing_answers_fails() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let asked = probe(format!("http://{address}/readyz").parse().unwrap()).await;
        asked.unwrap_err();
    }
}
