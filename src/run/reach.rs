//! Whether addresses take connections. A new pod is admitted by a cluster's network a moment after it started, and a program that connects
//! in its first line would fail in that moment: this waits for it, in a container that runs before.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// How long one try may take: packets that are not admitted yet are dropped, not refused.
const TRY: Duration = Duration::from_secs(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until every address takes a connection, and returns those that did not in time.
pub async fn unreached(addresses: &[String], patience: Duration) -> Vec<&str> {
    let deadline = Instant::now() + patience;
    let mut missing = Vec::new();
    for address in addresses {
        if !reached(address, deadline).await {
            missing.push(address.as_str());
        }
    }
    missing
}

async fn reached(address: &str, deadline: Instant) -> bool {
    loop {
        let tried = timeout(TRY, TcpStream::connect(address)).await;
        if matches!(tried, Ok(Ok(_))) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_begins_to_listen_is_waited_for() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let addresses = [address.to_string()];
        let waited = unreached(&addresses, Duration::from_secs(20));
        let opened = async {
            sleep(PAUSE * 3).await;
            TcpListener::bind(address).await.unwrap()
        };
        let (missing, _open) = tokio::join!(waited, opened);
        assert!(missing.is_empty());
    }

    #[tokio::test]
    async fn what_never_listens_is_named_after_a_while() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap().to_string();
        drop(port);
        let addresses = [address.clone()];
        assert_eq!(unreached(&addresses, PAUSE).await, [address.as_str()]);
    }
}
