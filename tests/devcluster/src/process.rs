//! Programs that run on: started apart from us, known by their pid and start time, ended for certain.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use crate::run;

/// One process, told apart from a later one with the same pid by when it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pid: i32,
    started: String,
}

impl Identity {
    /// The process with this pid, if it runs.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self {
            pid,
            started: started(pid)?,
        })
    }

    /// This very process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether the process still runs. A zombie does not.
    pub fn alive(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }

    /// The process as a word of a command line, to be read by `parse`.
    pub fn word(&self) -> String {
        format!("{}:{}", self.pid, self.started)
    }

    /// Reads what `word` wrote.
    pub fn parse(word: &str) -> Result<Self> {
        let (pid, started) = word.split_once(':').context("a process is PID:START")?;
        Ok(Self {
            pid: pid.parse().context("a process id is a number")?,
            started: started.to_owned(),
        })
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.alive()) {
            // It may end between the look and the signal: that is what the signal was for.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    fn reap(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // Only a child can be reaped, and only once: for all others this says so and does nothing.
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// What to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The name that people and the log file call it by.
    pub name: String,
    /// The program's file.
    pub file: PathBuf,
    /// Its arguments, as paths: a file holds them as text.
    pub arguments: Vec<PathBuf>,
    /// Variables on top of the environment.
    pub variables: Vec<(String, PathBuf)>,
    /// The network namespace that it lives in.
    pub namespace: Option<String>,
}

impl Program {
    /// A program under this name.
    pub fn new(name: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            file: file.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            namespace: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into().into());
        self
    }

    /// Adds `--flag=value`.
    pub fn flag(self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(value);
        self.arg(argument)
    }

    /// Sets a variable.
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into().into()));
        self
    }

    /// Puts it into a network namespace.
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Starts it in a session of its own, so that it outlives our terminal.
    pub fn start(&self, logs: &Path) -> Result<(Identity, PathBuf)> {
        let log = logs.join(format!("{}.log", self.name));
        // One that is started again goes on in the log of the first.
        let file = fs::File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let mut words: Vec<OsString> = Vec::new();
        let session = run::find("setsid");
        words.extend(session.iter().map(|file| file.clone().into_os_string()));
        if let Some(namespace) = &self.namespace {
            words.extend([
                "nsenter".into(),
                format!("--net=/run/netns/{namespace}").into(),
            ]);
        }
        words.push(self.file.clone().into_os_string());
        words.extend(self.arguments.iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        // A kubeconfig of the person at the keyboard is none of its business.
        command
            .env_remove("KUBECONFIG")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        if session.is_none() {
            command.process_group(0);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.file.display()))?;
        let identity = Identity::of(child.id());
        identity
            .map(|identity| (identity, log.clone()))
            .with_context(|| format!("{} ended at once: see {}", self.name, log.display()))
    }
}

/// Ends all of these processes and returns when the last one is gone.
pub fn end(processes: &[Identity], grace: Duration) -> Result<()> {
    for (signal, patience) in [
        (Signal::TERM, grace),
        (Signal::KILL, Duration::from_secs(20)),
    ] {
        processes.iter().for_each(|process| process.signal(signal));
        if gone(processes, patience) {
            return Ok(());
        }
    }
    let left = processes
        .iter()
        .filter(|process| process.alive())
        .map(|process| process.pid.to_string());
    bail!(
        "the processes {} do not end",
        left.collect::<Vec<_>>().join(", ")
    )
}

/// Ends a process as a crash would, and returns when it is gone.
pub fn kill(process: &Identity) -> Result<()> {
    process.signal(Signal::KILL);
    if gone(std::slice::from_ref(process), Duration::from_secs(20)) {
        return Ok(());
    }
    bail!("the process {} does not end", process.pid)
}

fn gone(processes: &[Identity], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        processes.iter().for_each(Identity::reap);
        if !processes.iter().any(Identity::alive) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a cluster runs. A log viewer or an editor that mentions its folders is none of it.
const OURS: [&str; 14] = [
    "containerd",
    "containerd-shim-runc-v2",
    "coredns",
    "ctr",
    "devcluster",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "kwok",
    "metrics-server",
    "runc",
];

/// The running programs of a cluster of which an argument mentions one of these folders.
pub fn mentioning(folders: &[&Path]) -> Vec<Identity> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ours = |pid: &u32| {
        let file = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // The kernel says so when the file was replaced by a newer build.
        OURS.contains(&name.trim_end_matches(" (deleted)"))
    };
    let mentions = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.split('\0')
            .any(|word| folders.iter().any(|folder| names(word, folder)))
    };
    pids.filter(|pid| *pid != own)
        .filter(ours)
        .filter(mentions)
        .filter_map(Identity::of)
        .collect()
}

/// Whether a word is, or ends in, a path in this folder: `--config=/state/x`, `unix:///run/x`.
fn names(word: &str, folder: &Path) -> bool {
    let folder = format!("{}/", folder.display());
    word.contains(&folder)
}

/// The last lines of a log.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn started(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        return parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    }
    let line = run::run("ps", ["-o", "stat=,lstart=", "-p", &pid.to_string()]).ok()?;
    let (state, started) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

/// The start time in a line of `/proc/<pid>/stat`, unless it is that of a zombie all of whose threads have ended: the others still
/// hold its sockets.
fn parse_stat(line: &str) -> Option<String> {
    // The name stands in parentheses and may itself contain some.
    let fields: Vec<&str> = line.rsplit_once(") ")?.1.split(' ').collect();
    let threads: u32 = fields.get(17)?.parse().ok()?;
    let ended = matches!(fields.first(), Some(&("Z" | "X"))) && threads <= 1;
    (!ended).then(|| fields.get(19).map(|time| (*time).to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_read_behind_a_strange_name() {
        let line = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        assert_eq!(parse_stat(line).as_deref(), Some("4711"));
        assert_eq!(parse_stat(&line.replace(" S ", " Z ")), None);
    }

    #[test]
    fn a_zombie_whose_other_threads_run_on_has_not_ended() {
        let line = "7 (etcd) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 4711 99 100";
        assert_eq!(parse_stat(line).as_deref(), Some("4711"));
        assert_eq!(parse_stat(&line.replace(" 3 0 4711", " 0 0 4711")), None);
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_taken_for_the_first() {
        let own = Identity::own().unwrap();
        assert!(own.alive());
        assert_eq!(Identity::parse(&own.word()).unwrap(), own);
        assert!(
            !Identity {
                started: "0".into(),
                ..own
            }
            .alive()
        );
    }

    #[test]
    fn a_process_that_ignores_the_polite_signal_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new("stubborn", "/bin/sh")
            .arg("-c")
            .arg("trap '' TERM; while :; do sleep 1; done");
        let (identity, _) = program.start(folder.path()).unwrap();
        end(std::slice::from_ref(&identity), Duration::from_millis(50)).unwrap();
        assert!(!identity.alive());
    }

    #[test]
    fn a_folder_is_not_found_in_the_name_of_a_longer_one() {
        let folder = Path::new("/run/roadstead/test-1");
        assert!(names(
            "--config=/run/roadstead/test-1/node1/kubelet.yaml",
            folder
        ));
        assert!(names("unix:///run/roadstead/test-1/s", folder));
        assert!(!names("/run/roadstead/test-12/s", folder));
    }
}
