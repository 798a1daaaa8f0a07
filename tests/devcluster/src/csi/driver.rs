//! What the driver answers to each call.

use std::{fs, future::ready, path::Path, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{Code, Status, body::Body, server::Grpc};
use tonic_prost::ProstCodec;

use super::{
    NAME,
    messages::{
        Capabilities, ContentSource, CreateGroup, CreateSnapshot, CreateVolume, Created, Group,
        Instant, Named, NamedGroup, NodeInfo, Nothing, PluginInfo, Publish, Snapshot, Taken,
        TakenGroup, Unpublish, Volume,
    },
    pool::{Pool, Record},
};
use crate::run;

/// `CONTROLLER_SERVICE` and `GROUP_CONTROLLER_SERVICE`, of a plugin.
const CONTROLLERS: [i32; 2] = [1, 3];
/// `CREATE_DELETE_VOLUME` and `CREATE_DELETE_SNAPSHOT`, of a controller.
const VOLUMES_AND_SNAPSHOTS: [i32; 2] = [1, 5];
/// `CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT`, of a controller of groups.
const GROUPS: i32 = 1;

/// The driver at one socket.
pub struct Driver {
    pool: Arc<Pool>,
    /// The node whose kubelet asks here; empty where the sidecars do.
    node: String,
}

impl Driver {
    /// The driver at the socket of a node, or, without a name, of the sidecars.
    pub fn new(pool: Arc<Pool>, node: String) -> Self {
        Self { pool, node }
    }

    /// Answers a call.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let request = request.map(Body::new);
        match path.as_str() {
            "/csi.v1.Identity/GetPluginInfo" => unary(request, |_: Nothing| Ok(plugin())).await,
            "/csi.v1.Identity/GetPluginCapabilities" => {
                unary(request, |_: Nothing| Ok(Capabilities::of(&CONTROLLERS))).await
            }
            "/csi.v1.Identity/Probe" => unary(request, |_: Nothing| Ok(Nothing {})).await,
            "/csi.v1.Controller/ControllerGetCapabilities" => {
                let all = Capabilities::of(&VOLUMES_AND_SNAPSHOTS);
                unary(request, |_: Nothing| Ok(all.clone())).await
            }
            "/csi.v1.Controller/CreateVolume" => unary(request, |ask| self.make(ask)).await,
            "/csi.v1.Controller/DeleteVolume" => {
                let remove = |id: &str| self.pool.remove(&self.pool.volume(id));
                unary(request, |ask: Named| gone(remove(&ask.id))).await
            }
            "/csi.v1.Controller/CreateSnapshot" => unary(request, |ask| self.take(ask)).await,
            "/csi.v1.Controller/DeleteSnapshot" => {
                let remove = |ask: Named| gone(self.pool.remove_snapshot(&ask.id));
                unary(request, remove).await
            }
            "/csi.v1.GroupController/GroupControllerGetCapabilities" => {
                unary(request, |_: Nothing| Ok(Capabilities::of(&[GROUPS]))).await
            }
            "/csi.v1.GroupController/CreateVolumeGroupSnapshot" => {
                unary(request, |ask| self.take_together(ask)).await
            }
            "/csi.v1.GroupController/GetVolumeGroupSnapshot" => {
                unary(request, |ask: NamedGroup| self.group(&ask.id)).await
            }
            "/csi.v1.GroupController/DeleteVolumeGroupSnapshot" => {
                let remove = |ask: NamedGroup| gone(self.pool.remove_group(&ask.id));
                unary(request, remove).await
            }
            "/csi.v1.Node/NodeGetCapabilities" => {
                unary(request, |_: Nothing| Ok(Capabilities::of(&[]))).await
            }
            "/csi.v1.Node/NodeGetInfo" => unary(request, |_: Nothing| Ok(self.node())).await,
            "/csi.v1.Node/NodePublishVolume" => unary(request, |ask| self.publish(ask)).await,
            "/csi.v1.Node/NodeUnpublishVolume" => unary(request, unpublish).await,
            _ => Status::unimplemented(path).into_http(),
        }
    }

    fn make(&self, ask: CreateVolume) -> Result<Created, Status> {
        let bytes = ask.capacity_range.map_or(0, |range| range.required_bytes);
        let from = ask.content_source.as_ref().and_then(|s| s.snapshot.clone());
        let from = from.map(|source| source.id);
        if let Some(id) = &from {
            self.known(&self.pool.snapshot(id))?;
        }
        self.pool
            .make(&ask.name, bytes, from.as_deref())
            .map_err(failed)?;
        let content_source = ask.content_source.filter(|_| from.is_some());
        let volume = Volume {
            capacity_bytes: bytes,
            volume_id: ask.name,
            content_source: content_source.map(|source| ContentSource {
                volume: None,
                ..source
            }),
            ..Volume::default()
        };
        Ok(Created {
            volume: Some(volume),
        })
    }

    fn take(&self, ask: CreateSnapshot) -> Result<Taken, Status> {
        self.known(&self.pool.volume(&ask.source_volume_id))?;
        let taken = match self.pool.record(&self.pool.snapshot(&ask.name)) {
            Some(record) => record,
            None => self
                .pool
                .take(&ask.name, &ask.source_volume_id)
                .map_err(failed)?,
        };
        Ok(Taken {
            snapshot: Some(told(ask.name, taken, "")),
        })
    }

    fn take_together(&self, ask: CreateGroup) -> Result<TakenGroup, Status> {
        for volume in &ask.source_volume_ids {
            self.known(&self.pool.volume(volume))?;
        }
        if self.pool.group(&ask.name).is_none() {
            self.pool
                .take_together(&ask.name, &ask.source_volume_ids)
                .map_err(failed)?;
        }
        self.group(&ask.name)
    }

    fn group(&self, id: &str) -> Result<TakenGroup, Status> {
        let missing = || Status::not_found(format!("there is no group {id}"));
        let members = self.pool.group(id).ok_or_else(missing)?;
        let tell = |member: String| {
            let record = self.known(&self.pool.snapshot(&member))?;
            Ok(told(member, record, id))
        };
        let snapshots: Result<Vec<Snapshot>, Status> = members.into_iter().map(tell).collect();
        let snapshots = snapshots?;
        let group = Group {
            group_snapshot_id: id.to_owned(),
            creation_time: snapshots.first().and_then(|s| s.creation_time.clone()),
            snapshots,
            ready_to_use: true,
        };
        Ok(TakenGroup { group: Some(group) })
    }

    fn known(&self, path: &Path) -> Result<Record, Status> {
        let missing = || Status::not_found(format!("{} is not there", path.display()));
        self.pool.record(path).ok_or_else(missing)
    }

    fn publish(&self, ask: Publish) -> Result<Nothing, Status> {
        let (volume, target) = (
            self.pool.volume(&ask.volume_id),
            Path::new(&ask.target_path),
        );
        self.known(&volume)?;
        fs::create_dir_all(target)?;
        if !is_mounted(target)? {
            let words = ["--bind".as_ref(), volume.as_os_str(), target.as_os_str()];
            run::run("mount", words).map_err(failed)?;
        }
        if ask.readonly {
            let how = "remount,bind,ro".as_ref();
            run::run("mount", ["-o".as_ref(), how, target.as_os_str()]).map_err(failed)?;
        }
        Ok(Nothing {})
    }

    fn node(&self) -> NodeInfo {
        NodeInfo {
            node_id: self.node.clone(),
        }
    }
}

/// A snapshot, as it is told; alone where the group has no name.
fn told(id: String, record: Record, group: &str) -> Snapshot {
    let instant = |(seconds, nanos)| Instant { seconds, nanos };
    Snapshot {
        size_bytes: record.bytes,
        snapshot_id: id,
        source_volume_id: record.source.unwrap_or_default(),
        creation_time: record.taken.map(instant),
        ready_to_use: true,
        group_snapshot_id: group.to_owned(),
    }
}

fn plugin() -> PluginInfo {
    PluginInfo {
        name: NAME.to_owned(),
        vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn unpublish(ask: Unpublish) -> Result<Nothing, Status> {
    let target = Path::new(&ask.target_path);
    while is_mounted(target)? {
        run::run("umount", [target]).map_err(failed)?;
    }
    match fs::remove_dir(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(Nothing {}),
    }
}

fn is_mounted(target: &Path) -> Result<bool, Status> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let mut targets = table.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(targets.any(|mounted| Path::new(mounted) == target))
}

fn gone(removed: anyhow::Result<()>) -> Result<Nothing, Status> {
    removed.map_err(failed)?;
    Ok(Nothing {})
}

fn failed(error: anyhow::Error) -> Status {
    Status::new(Code::Internal, format!("{error:#}"))
}

/// One request, one answer. The work is short, and the pool's own commands are safe side by side.
async fn unary<A, B>(
    request: Request<Body>,
    handle: impl Fn(A) -> Result<B, Status> + Clone,
) -> Response<Body>
where
    A: prost::Message + Default + Send + 'static,
    B: prost::Message + Default + Send + 'static,
{
    let call = tower::service_fn(move |ask: tonic::Request<A>| {
        ready(handle(ask.into_inner()).map(tonic::Response::new))
    });
    Grpc::new(ProstCodec::<B, A>::default())
        .unary(call, request)
        .await
}
