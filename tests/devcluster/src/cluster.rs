//! A running cluster, as tests and the demo hold it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Error, Result, bail};
use kube::Client;

use crate::{
    bring_up, cleanup,
    guard::{self, Hold},
    image::{Archive, Image},
    kubeconfig, node,
    options::Options,
    pki::Authority,
    place::{Place, foreign, make_folder},
    process::Identity,
    progress::Progress,
    state::State,
    tools::{self, Tools, Upstream},
};

/// A cluster that runs, ours or somebody else's.
///
/// One that was started here ends with this value, unless it was asked to be kept.
pub struct Cluster {
    kubeconfig: PathBuf,
    client: Client,
    own: Option<Own>,
}

/// What only a cluster of our own has.
struct Own {
    place: Place,
    state: State,
    tools: Tools,
    /// Ends the cluster with this process. Nothing where it outlives us.
    hold: Option<Hold>,
}

impl Cluster {
    /// The cluster that `KUBECONFIG` leads to, unless that is the demo's, or a new one.
    pub async fn from_env_or_start(options: Options) -> Result<Self> {
        match foreign()? {
            Some(file) => Self::external(&file).await,
            None => Self::start(options).await,
        }
    }

    /// Somebody else's cluster. Nothing is built, and nothing is ended.
    pub async fn external(kubeconfig: &Path) -> Result<Self> {
        let client = kubeconfig::client(kubeconfig, None).await?;
        client
            .apiserver_version()
            .await
            .with_context(|| format!("{} leads to no cluster", kubeconfig.display()))?;
        Ok(Self {
            kubeconfig: kubeconfig.to_owned(),
            client,
            own: None,
        })
    }

    /// Starts a cluster, after removing what an earlier run of this name has left.
    pub async fn start(options: Options) -> Result<Self> {
        let options = bring_up::possible(options);
        let place = Place::new(&options.name)?;
        let (asked, locked) = (options.clone(), place.clone());
        // Minutes, the first time: other tasks go on meanwhile.
        let (tools, lock) = tokio::task::spawn_blocking(move || {
            let tools = bring_up::tools(&asked)?;
            guard::program()?;
            Ok::<_, Error>((tools, lock(&locked)?))
        })
        .await??;
        place.make()?;
        let (hold, _lock) = if options.keep {
            (None, Some(lock))
        } else {
            (Some(Hold::begin(&place, lock)?), None)
        };
        let (state, client) = match bring_up::bring_up(&place, &options, &tools).await {
            Ok(up) => up,
            Err(error) => return Err(given_up(&place, hold, error)),
        };
        Ok(Self {
            kubeconfig: place.kubeconfig("admin"),
            client,
            own: Some(Own {
                place,
                state,
                tools,
                hold,
            }),
        })
    }

    /// The cluster of this name that was started before and kept, if it runs.
    pub async fn attach(name: &str) -> Result<Option<Self>> {
        let place = Place::new(name)?;
        let Some(state) =
            State::load(&place)?.filter(|state| state.ready && state.dead().is_none())
        else {
            return Ok(None);
        };
        let options = Options {
            nodes: state.nodes,
            fake_nodes: state.fake_nodes,
            ..Options::named(name)
        };
        let tools = tokio::task::spawn_blocking(move || bring_up::tools(&options)).await??;
        let client = kubeconfig::client(&place.kubeconfig("admin"), None).await?;
        Ok(Some(Self {
            kubeconfig: place.kubeconfig("admin"),
            client,
            own: Some(Own {
                place,
                state,
                tools,
                hold: None,
            }),
        }))
    }

    /// A client of the administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client for whom the API server sees this user, in these groups.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig, Some((user, groups))).await
    }

    /// A kubeconfig of this user, for programs. Only a cluster of our own gives certificates, each with at most two groups.
    pub fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let own = self.own("gives certificates to users")?;
        let name: String = user
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let file = own.place.kubeconfig(&format!("user-{name}"));
        let authority = Authority::open(&own.place.pki())?;
        let server = format!("https://127.0.0.1:{}", own.state.port("kube-apiserver")?);
        kubeconfig::write(&file, &server, &authority, &authority.user(user, groups)?)?;
        Ok(file)
    }

    /// How many real nodes there are, where that is known.
    pub fn nodes(&self) -> Option<u8> {
        self.own.as_ref().map(|own| own.state.nodes)
    }

    /// The folder of the logs, where there is one.
    pub fn logs(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.place.logs())
    }

    /// What is remembered about the cluster, where it is our own.
    pub fn state(&self) -> Option<&State> {
        self.own.as_ref().map(|own| &own.state)
    }

    /// Kills a program of the cluster as a crash would, such as `etcd` or `node1-kubelet`, and starts it again.
    /// Returns which process it was, and which it is now; that it answers again is for the caller to wait for.
    pub fn crash(&mut self, program: &str) -> Result<(Identity, Identity)> {
        let own = self.own.as_mut();
        let own = own.context("only a cluster of devcluster's own crashes when told")?;
        own.state.crash(&own.place, program)
    }

    /// Brings an image into every node.
    pub fn load_image(&self, image: &Image) -> Result<Archive> {
        let archive = image.archive()?;
        self.load(&archive)?;
        Ok(archive)
    }

    /// Brings an image that was put together before into every node.
    pub fn load(&self, image: &Archive) -> Result<()> {
        let own = self.own("takes images without a registry")?;
        (1..=own.state.nodes).try_for_each(|node| node::import(&own.tools, &own.place, node, image))
    }

    /// A kubectl of the cluster's own version, as the administrator.
    pub fn kubectl(&self) -> Result<Command> {
        let mut command = Command::new(
            tools::ensure(&[Upstream::Kubernetes])?.file(Upstream::Kubernetes, "kubectl")?,
        );
        command.env("KUBECONFIG", &self.kubeconfig);
        Ok(command)
    }

    /// A helm, as the administrator.
    pub fn helm(&self) -> Result<Command> {
        let mut command =
            Command::new(tools::ensure(&[Upstream::Helm])?.file(Upstream::Helm, "helm")?);
        command.env("KUBECONFIG", &self.kubeconfig);
        Ok(command)
    }

    /// The PATH with this cluster's kubectl and helm first.
    pub fn path(&self) -> Result<std::ffi::OsString> {
        let programs = [self.kubectl()?, self.helm()?];
        let own = programs
            .iter()
            .filter_map(|c| Path::new(c.get_program()).parent());
        let given = std::env::var_os("PATH").unwrap_or_default();
        let folders = own.map(Path::to_owned).chain(std::env::split_paths(&given));
        std::env::join_paths(folders).context("a folder of the PATH has a strange name")
    }

    /// Ends a cluster that was started here. Somebody else's, or a kept one, goes on.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(own) = &mut self.own else {
            return Ok(());
        };
        let Some(hold) = own.hold.take() else {
            return Ok(());
        };
        let removed = cleanup::remove(&own.place);
        hold.end(removed.is_ok()).and(removed)
    }

    fn own(&self, what: &str) -> Result<&Own> {
        self.own
            .as_ref()
            .with_context(|| format!("only a cluster of devcluster's own {what}"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the cluster did not end well: {error:#}");
        }
    }
}

/// Ends and removes the cluster of this name, if there is one.
pub fn remove(name: &str) -> Result<()> {
    let place = Place::new(name)?;
    make_folder(place.state.parent().context("a folder without a parent")?)?;
    let file = File::create(place.lock())?;
    if file.try_lock().is_err() {
        let owner = State::load(&place)?
            .and_then(|state| state.owner)
            .map(|owner: Identity| owner.pid());
        match owner {
            Some(pid) => bail!("the cluster {name} belongs to process {pid}: it ends with it"),
            None => file.lock().context("cannot lock the cluster")?,
        }
    }
    cleanup::remove(&place)
}

/// Clears up after a start that failed, and adds to the error what helps a person.
fn given_up(place: &Place, hold: Option<Hold>, error: Error) -> Error {
    let error = error.context(format!("the logs are in {}", place.logs().display()));
    let cleared = cleanup::remove(place).and_then(|()| hold.map_or(Ok(()), |hold| hold.end(true)));
    match cleared {
        Ok(()) => error,
        Err(left) => error.context(format!("and clearing up failed: {left:#}")),
    }
}

/// Waits until nobody else starts, holds or ends the cluster of this place.
fn lock(place: &Place) -> Result<File> {
    make_folder(place.state.parent().context("a folder without a parent")?)?;
    let file = File::create(place.lock())?;
    if file.try_lock().is_err() {
        let waiting = Progress::begin(format!(
            "Waiting until another process is done with the cluster {}",
            place.name
        ));
        file.lock().context("cannot lock the cluster")?;
        waiting.done();
    }
    Ok(file)
}
