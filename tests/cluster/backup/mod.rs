//! Backups with real bytes: what was there when a snapshot was taken comes back, and nothing later.

mod apart;
mod cache;
mod crash;
mod database;
mod hold;
mod keeping;
mod killed;
mod last;
mod proof;
mod steps;
mod third;
mod whole;

pub use apart::*;
pub use cache::*;
pub use crash::*;
pub use database::*;
pub use hold::*;
pub use keeping::*;
pub use killed::*;
pub use last::*;
pub use proof::*;
pub use third::*;
pub use whole::*;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{service::Engine, world::World};

/// A Backup of one Service, with more lines of its spec.
fn of_service(name: &str, service: &str, more: &str) -> String {
    format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {{name: {name}}}\n\
         spec:\n  serviceRef: {{name: {service}}}\n{more}"
    )
}

/// A Restore into one Service, with more lines of its spec.
fn into_service(name: &str, backup: &str, into: &str, from: &str, uid: &str) -> String {
    format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Restore\nmetadata: {{name: {name}}}\n\
         spec:\n  backupRef: {{name: {backup}}}\n  services: [{{into: {into}, from: {from}, overwrite: {uid}}}]\n"
    )
}

/// An Application, and a stage of it that does not run, with these Services and more of its spec.
fn stage(services: &[&str], more: &str) -> String {
    let all = services.iter();
    let all: Vec<String> = all
        .map(|name| format!("{{name: {name}, prefix: DEFAULT}}"))
        .collect();
    format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\n\
         spec: {{image: docker.io/acme/shop:1.4, port: 8000, containers: [{{name: web, kind: Web}}]}}\n---\n\
         apiVersion: roadstead.dev/v1alpha1\nkind: Environment\nmetadata: {{name: shop-live}}\n\
         spec: {{applicationRef: {{name: shop}}, state: Stopped, services: [{}]{more}}}\n",
        all.join(", ")
    )
}

/// Makes a Backup and waits until it is done; returns its status.
async fn taken(world: &World, ns: &str, name: &str, service: &str) -> Result<Value> {
    world.apply_in(ns, &of_service(name, service, "")).await?;
    world.condition(&format!("dbk/{name}"), ns, "Ready").await?;
    world.at(&format!("dbk/{name}"), ns, "/status").await
}

/// The UID of a Service.
async fn uid(engine: &Engine<'_>) -> Result<String> {
    let object = format!("msvc/{}", engine.name);
    let uid = engine.world.at(&object, engine.ns, "/metadata/uid").await?;
    uid.as_str().map(str::to_owned).context("it has no UID")
}

/// Waits until the reason of an object's Ready condition is this.
async fn until_reason(world: &World, what: &str, ns: &str, reason: &str) -> Result<()> {
    world
        .until(&format!("{what} says {reason}"), || async {
            let said = world.at(what, ns, "/status/conditions").await?;
            let mut said = said.as_array().into_iter().flatten();
            Ok(said
                .any(|c| c["type"] == "Ready" && c["reason"] == reason)
                .then_some(()))
        })
        .await
}
