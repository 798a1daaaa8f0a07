//! The operator: what runs in the cluster.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use http::Uri;
use kube::api::{DynamicObject, ObjectMeta, TypeMeta};
use roadstead::run::{self, Settings, seed::Seed};
use serde_json::json;
use tracing_subscriber::EnvFilter;

/// Roadstead, the operator.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the cluster and carry out what is declared in it; this is the default.
    Run(Run),
    /// Ask an address over HTTP whether it answers with success; `helm test` does.
    Probe {
        /// Such as http://roadstead.roadstead-system.svc:8080/readyz
        address: Uri,
    },
    /// Wait until these addresses take connections; release commands begin after it.
    Reach {
        /// Such as shop-db.instance-acme.svc:5432
        addresses: Vec<String>,
        /// How many seconds to wait for them before going on all the same.
        #[arg(long, default_value_t = 30)]
        patience: u64,
    },
}

#[derive(Debug, Clone, Args)]
struct Run {
    /// Let one of several processes work while the others stand by.
    #[arg(long, env = "ROADSTEAD_LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set)]
    leader_elect: bool,
    /// Namespace that the operator runs in: its Lease stands there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "roadstead-system")]
    namespace: String,
    /// Service account that the operator runs as.
    #[arg(long, env = "POD_SERVICE_ACCOUNT", default_value = "roadstead")]
    service_account: String,
    /// Image of this program: in an Instance it waits for Services before a release command begins. Without it, nothing waits.
    #[arg(long, env = "ROADSTEAD_IMAGE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    image: Option<String>,
    /// Name of this process on the Lease and in Events; made up when it is not given.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// Make an Instance named `default`, once in the life of the cluster.
    #[arg(long, env = "ROADSTEAD_DEFAULT_INSTANCE")]
    default_instance: bool,
    /// Address for probes and metrics.
    #[arg(long, env = "ROADSTEAD_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,roadstead=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    log_level: String,
    /// How many objects are worked on at once.
    #[arg(long, env = "ROADSTEAD_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = match cli.command {
        Some(Command::Run(run)) => run,
        Some(Command::Probe { address }) => return probe(address),
        Some(Command::Reach {
            addresses,
            patience,
        }) => return reach(&addresses, Duration::from_secs(patience)),
        None => cli.run,
    };
    // kube's watcher warns of what our watches say themselves.
    let filter = EnvFilter::new(format!(
        "{},kube_runtime=off,kube_client=error",
        run.log_level
    ));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run::run(settings(run))),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

fn probe(address: Uri) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let asked = match runtime {
        Ok(runtime) => runtime.block_on(run::probe::probe(address.clone())),
        Err(error) => Err(error.into()),
    };
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Never fails: what cannot be reached in time, the program that needs it says better.
fn reach(addresses: &[String], patience: Duration) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            for address in runtime.block_on(run::reach::unreached(addresses, patience)) {
                println!("{address} took no connection in {patience:?}; going on without it");
            }
        }
        Err(error) => eprintln!("nothing was waited for: {error}"),
    }
    ExitCode::SUCCESS
}

fn settings(run: Run) -> Settings {
    let identity = run.identity.unwrap_or_else(|| {
        let tag = getrandom::u64().unwrap_or_default();
        format!("roadstead-{tag:x}")
    });
    Settings {
        elect: run.leader_elect,
        namespace: run.namespace,
        account: run.service_account,
        image: run.image,
        identity,
        seed: default_instance(),
        plants: run.default_instance,
        listen: run.listen,
        concurrency: run.concurrency,
    }
}

/// The Instance that a fresh cluster begins with.
fn default_instance() -> Seed {
    let types = TypeMeta {
        api_version: "roadstead.dev/v1alpha1".to_owned(),
        kind: "Instance".to_owned(),
    };
    let metadata = ObjectMeta {
        name: Some("default".to_owned()),
        ..ObjectMeta::default()
    };
    let description = "Supplied by the system, so that there is a place to begin in.";
    let spec = json!({"spec": {"name": "default", "description": description}});
    Seed {
        mark: "roadstead.dev/default-instance",
        plural: "instances",
        manifest: DynamicObject {
            types: Some(types),
            metadata,
            data: spec,
        },
    }
}
