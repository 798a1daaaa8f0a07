//! Where a verb works and how it answers: the flags that every verb has.

use std::{path::PathBuf, time::Duration};

use clap_complete::ArgValueCompleter;
use jiff::SignedDuration;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    complete,
    fail::{Exit, Failure},
    patience::Patience,
    show::Output,
    target::Target,
};
use crate::{kinds::Of, plan::home};

/// The flags that every verb has.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Scope {
    /// Namespace to work in [default: the context's]
    #[arg(short, long, global = true, value_name = "NAMESPACE", add = ArgValueCompleter::new(complete::namespaces))]
    pub namespace: Option<String>,
    /// Instance to work in: short for --namespace instance-NAME
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "namespace", add = ArgValueCompleter::new(complete::instances))]
    pub instance: Option<String>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(complete::contexts))]
    pub context: Option<String>,
    /// Kubeconfig file to use
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// How the result is written
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: Output,
    /// How long to wait, such as 90s, 10m or 1h30m
    #[arg(long, global = true, default_value = "15m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// How long to wait for the API server to answer one request; 0 for ever
    #[arg(long, global = true, default_value = "30s", value_parser = request_timeout, value_name = "DURATION")]
    pub request_timeout: Duration,
    /// Ask for it and return at once
    #[arg(long, global = true)]
    pub no_wait: bool,
}

/// A duration as people write it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|d| Duration::try_from(d).ok())
        .ok_or_else(|| "write a duration such as 90s, 10m or 1h30m".to_owned())
}

/// The same as kubectl has it: a number alone is seconds.
fn request_timeout(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => duration(text),
    }
}

/// A cluster to talk to, and the namespace to work in.
#[derive(Clone)]
pub struct Cluster {
    /// The connection.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Scope {
    /// The namespace that was asked for, if any.
    pub fn asked(&self) -> Option<String> {
        let of_instance = || self.instance.as_deref().map(home::namespace_of);
        self.namespace.clone().or_else(of_instance)
    }

    /// Reaches the cluster that is meant. Nothing is sent yet.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        let config = self.config().await?;
        let namespace = self.asked().unwrap_or(config.default_namespace.clone());
        let patience = Patience::with(&config.cluster_url.to_string(), self.request_timeout);
        let client = ClientBuilder::try_from(config).map_err(|e| {
            Failure::refused(
                format!("the kubeconfig cannot be used: {e}"),
                "check it with: kubectl config view --minify",
            )
        })?;
        let client = client.with_layer(&patience).build();
        Ok(Cluster { client, namespace })
    }

    /// Refuses an Instance that was named and is not there: for verbs that would find nothing in it, and say so.
    pub async fn instance_is_there(&self, cluster: &Cluster) -> Result<(), Failure> {
        let Some(name) = &self.instance else {
            return Ok(());
        };
        let target = Target::parse(name, &[Of::Instance])?;
        match cluster.find(&target).await {
            Ok(None) => cluster.read(&target).await.map(drop),
            // Who may not look at Instances may still look into one.
            Ok(Some(_)) | Err(_) => Ok(()),
        }
    }

    async fn config(&self) -> Result<Config, Failure> {
        let unusable = |e: &dyn std::fmt::Display| {
            Failure::refused(
                format!("the kubeconfig cannot be used: {e}"),
                "name one with --kubeconfig or KUBECONFIG, and a context of it with --context",
            )
        };
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let read = match &self.kubeconfig {
            Some(path) => Some(Kubeconfig::read_from(path).map_err(|e| unusable(&e))?),
            // Within a pod there is none, and the account of the pod is meant.
            None => Kubeconfig::read().ok(),
        };
        match read {
            Some(file) => Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|e| unusable(&e)),
            None => Config::infer().await.map_err(|_| {
                Failure::refused(
                    "there is no kubeconfig",
                    "name one with --kubeconfig or KUBECONFIG",
                )
            }),
        }
    }

    /// What ends the wait for something that goes on by itself.
    pub fn timed_out(&self, waited_for: &str, look: &str) -> Failure {
        let span = SignedDuration::try_from(self.timeout).unwrap_or_default();
        Failure::new(
            Exit::TimedOut,
            format!("{waited_for} is not done after {span:#}; it goes on without us"),
            look,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("soon").is_err());
        assert!(duration("-5s").is_err());
        assert_eq!(request_timeout("7"), Ok(Duration::from_secs(7)));
        assert_eq!(request_timeout("0"), Ok(Duration::ZERO));
        assert_eq!(request_timeout("1m"), Ok(Duration::from_secs(60)));
        assert!(request_timeout("soon").is_err());
    }
}
