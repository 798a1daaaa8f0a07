//! Releases: how one begins, goes on, ends and is gone back to.

mod commands;
mod holds;
mod once;
mod probe;
mod promote;
mod reach;
mod serving;

pub use commands::*;
pub use holds::*;
pub use once::*;
pub use probe::*;
pub use promote::*;
pub use reach::*;
pub use serving::*;

/// An Application that says on its own page whether it is well: the version `broken` never does.
const SHOP: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/acme/shop:1.4
  port: 8000
  startupProbe: {path: /healthz, maxRetries: 4, retryTimeoutSeconds: 1}
  containers:
  - {name: web, kind: Web, command: [shop, web], replicas: 3}
"#;
