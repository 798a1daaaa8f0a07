//! A real Kubernetes with real nodes, built from Go modules.
//!
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use devcluster::{Cluster, Options};
//! let cluster = Cluster::from_env_or_start(Options::named("test").nodes(1)).await?;
//! let version = cluster.client().apiserver_version().await?;
//! println!("{}", version.git_version);
//! # Ok(())
//! # }
//! ```
//!
//! From the outside in: [`Cluster`] is a running cluster and [`Options`] what to ask for; [`image`] makes container images from
//! folders, without a registry. Below stand the parts: [`tools`] builds the Go programs and [`debian`] finds the others,
//! [`addresses`] and [`network`] lay the wires, [`control_plane`], [`node`] and [`addons`] start the programs, [`state`]
//! remembers what was started and [`cleanup`] ends exactly that. [`policy`] enforces NetworkPolicy, [`csi`] keeps volumes and takes
//! [`snapshots`] of them; [`product`] installs Roadstead, and [`flux`] Flux.

pub mod addons;
pub mod addresses;
pub mod bring_up;
pub mod cgroup;
pub mod cleanup;
pub mod cluster;
pub mod control_plane;
pub mod csi;
pub mod debian;
pub mod fake_nodes;
pub mod flux;
pub mod guard;
pub mod image;
pub mod kubeconfig;
pub mod manifest;
pub mod network;
pub mod node;
pub mod options;
pub mod pki;
pub mod place;
pub mod policy;
pub mod process;
pub mod product;
pub mod progress;
pub mod run;
pub mod snapshots;
pub mod state;
pub mod tools;
pub mod volumes;

pub use cluster::Cluster;
pub use options::Options;
