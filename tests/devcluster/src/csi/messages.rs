//! What the sidecars, the kubelet and the driver say to each other: the fields of the CSI protocol that are used here, under
//! their numbers. Others are skipped when they are read.
#![allow(missing_docs, reason = "the protocol names and explains them")]

use std::collections::HashMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub struct PluginInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub vendor_version: String,
}

/// One capability, of the plugin or of its controller: both are a number, two messages deep.
#[derive(Clone, PartialEq, Message)]
pub struct Capability {
    #[prost(message, optional, tag = "1")]
    pub service: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Type {
    #[prost(int32, tag = "1")]
    pub number: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Capabilities {
    #[prost(message, repeated, tag = "1")]
    pub all: Vec<Capability>,
}

impl Capabilities {
    /// These capabilities, by their numbers.
    pub fn of(numbers: &[i32]) -> Self {
        let one = |number: &i32| Capability {
            service: Some(Type { number: *number }),
        };
        Self {
            all: numbers.iter().map(one).collect(),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct CapacityRange {
    #[prost(int64, tag = "1")]
    pub required_bytes: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Source {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContentSource {
    #[prost(message, optional, tag = "1")]
    pub snapshot: Option<Source>,
    #[prost(message, optional, tag = "2")]
    pub volume: Option<Source>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateVolume {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub capacity_range: Option<CapacityRange>,
    #[prost(message, optional, tag = "6")]
    pub content_source: Option<ContentSource>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Volume {
    #[prost(int64, tag = "1")]
    pub capacity_bytes: i64,
    #[prost(string, tag = "2")]
    pub volume_id: String,
    #[prost(map = "string, string", tag = "3")]
    pub volume_context: HashMap<String, String>,
    #[prost(message, optional, tag = "4")]
    pub content_source: Option<ContentSource>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Created {
    #[prost(message, optional, tag = "1")]
    pub volume: Option<Volume>,
}

/// A request that names one thing: a volume, or a snapshot.
#[derive(Clone, PartialEq, Message)]
pub struct Named {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateSnapshot {
    #[prost(string, tag = "1")]
    pub source_volume_id: String,
    #[prost(string, tag = "2")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Instant {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Snapshot {
    #[prost(int64, tag = "1")]
    pub size_bytes: i64,
    #[prost(string, tag = "2")]
    pub snapshot_id: String,
    #[prost(string, tag = "3")]
    pub source_volume_id: String,
    #[prost(message, optional, tag = "4")]
    pub creation_time: Option<Instant>,
    #[prost(bool, tag = "5")]
    pub ready_to_use: bool,
    #[prost(string, tag = "6")]
    pub group_snapshot_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Taken {
    #[prost(message, optional, tag = "1")]
    pub snapshot: Option<Snapshot>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateGroup {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub source_volume_ids: Vec<String>,
}

/// A request that names a group of snapshots, and each of them.
#[derive(Clone, PartialEq, Message)]
pub struct NamedGroup {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, repeated, tag = "2")]
    pub snapshot_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Group {
    #[prost(string, tag = "1")]
    pub group_snapshot_id: String,
    #[prost(message, repeated, tag = "2")]
    pub snapshots: Vec<Snapshot>,
    #[prost(message, optional, tag = "3")]
    pub creation_time: Option<Instant>,
    #[prost(bool, tag = "4")]
    pub ready_to_use: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct TakenGroup {
    #[prost(message, optional, tag = "1")]
    pub group: Option<Group>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Publish {
    #[prost(string, tag = "1")]
    pub volume_id: String,
    #[prost(string, tag = "4")]
    pub target_path: String,
    #[prost(bool, tag = "6")]
    pub readonly: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Unpublish {
    #[prost(string, tag = "1")]
    pub volume_id: String,
    #[prost(string, tag = "2")]
    pub target_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeInfo {
    #[prost(string, tag = "1")]
    pub node_id: String,
}

/// How a driver tells the kubelet of itself.
#[derive(Clone, PartialEq, Message)]
pub struct Registration {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub endpoint: String,
    #[prost(string, repeated, tag = "4")]
    pub supported_versions: Vec<String>,
}
