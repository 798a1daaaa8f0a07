//! What the driver answers to each call.

use std::{
    fs,
    future::ready,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{Code, Status, body::Body, server::Grpc};
use tonic_prost::ProstCodec;

use super::{
    NAME,
    messages::{
        Capabilities, ContentSource, CreateSnapshot, CreateVolume, Created, Instant, Named,
        NodeInfo, Nothing, PluginInfo, Publish, Snapshot, Taken, Unpublish, Volume,
    },
    pool::{Pool, Record},
};
use crate::run;

/// `CONTROLLER_SERVICE`, of a plugin.
const CONTROLLER: i32 = 1;
/// `CREATE_DELETE_VOLUME` and `CREATE_DELETE_SNAPSHOT`, of a controller.
const VOLUMES_AND_SNAPSHOTS: [i32; 2] = [1, 5];

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
                unary(request, |_: Nothing| Ok(Capabilities::of(&[CONTROLLER]))).await
            }
            "/csi.v1.Identity/Probe" => unary(request, |_: Nothing| Ok(Nothing {})).await,
            "/csi.v1.Controller/ControllerGetCapabilities" => {
                let all = Capabilities::of(&VOLUMES_AND_SNAPSHOTS);
                unary(request, |_: Nothing| Ok(all.clone())).await
            }
            "/csi.v1.Controller/CreateVolume" => unary(request, |ask| self.make(ask)).await,
            "/csi.v1.Controller/DeleteVolume" => {
                unary(request, |ask: Named| self.remove(self.pool.volume(&ask.id))).await
            }
            "/csi.v1.Controller/CreateSnapshot" => unary(request, |ask| self.take(ask)).await,
            "/csi.v1.Controller/DeleteSnapshot" => {
                let remove = |ask: Named| self.remove(self.pool.snapshot(&ask.id));
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
        let creation_time = taken
            .taken
            .map(|(seconds, nanos)| Instant { seconds, nanos });
        Ok(Taken {
            snapshot: Some(Snapshot {
                size_bytes: taken.bytes,
                snapshot_id: ask.name,
                source_volume_id: ask.source_volume_id,
                creation_time,
                ready_to_use: true,
            }),
        })
    }

    fn known(&self, path: &Path) -> Result<Record, Status> {
        let missing = || Status::not_found(format!("{} is not there", path.display()));
        self.pool.record(path).ok_or_else(missing)
    }

    fn remove(&self, path: PathBuf) -> Result<Nothing, Status> {
        self.pool.remove(&path).map_err(failed)?;
        Ok(Nothing {})
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
