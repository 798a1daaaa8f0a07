//! `completion`: what to install so that the shell completes verbs, flags and names.

use std::ffi::OsString;

use clap::{CommandFactory, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::{Cli, fail::Failure, show::print};

/// The program's file name.
const PROGRAM: &str = "kubectl-roadstead";

/// For which shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh and fish complete `kubectl-roadstead`; kubectl completes `kubectl roadstead` through its own completion
    #[arg(value_enum)]
    pub shell: Shell,
}

/// What completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// source <(kubectl roadstead completion bash)
    Bash,
    /// source <(kubectl roadstead completion zsh)
    Zsh,
    /// kubectl roadstead completion fish | source
    Fish,
    /// A program to be put next to kubectl-roadstead
    Kubectl,
}

/// What stands under the help.
pub const HELP: &str = "\
For `kubectl roadstead`, where kubectl's own completion is set up (kubectl completion --help):
  kubectl roadstead completion kubectl > kubectl_complete-roadstead
  chmod +x kubectl_complete-roadstead
  mv kubectl_complete-roadstead \"$(dirname \"$(command -v kubectl-roadstead)\")\"

For `kubectl-roadstead` alone, in bash:
  echo 'source <(kubectl-roadstead completion bash)' >> ~/.bashrc";

/// kubectl calls this program with the words so far.
const KUBECTL: &str = "\
#!/bin/sh
# Completes `kubectl roadstead`. It stands in the PATH, executable, as kubectl_complete-roadstead.
exec kubectl-roadstead __complete \"$@\"
";

/// Writes it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Kubectl => return print(KUBECTL),
    };
    let mut script = Vec::new();
    shell.write_registration("COMPLETE", PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    print(&String::from_utf8_lossy(&script))
}

/// Answers kubectl: a candidate a line, then what to do with them (`:4`: offer no files; `:6`: and add no space).
pub fn answer_kubectl(words: &[OsString]) -> Result<(), Failure> {
    let mut args = vec![OsString::from(PROGRAM)];
    args.extend(words.iter().cloned());
    if words.is_empty() {
        args.push(OsString::new());
    }
    let last = args.len() - 1;
    let found = clap_complete::engine::complete(&mut Cli::command(), args, last, None)?;
    let mut text = String::new();
    let mut open = false;
    for candidate in found.iter().filter(|c| !c.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        open |= value.ends_with('/');
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|h| h.lines().next());
        let help = help.map_or_else(String::new, |help| format!("\t{help}"));
        text.push_str(&format!("{value}{help}\n"));
    }
    text.push_str(if open { ":6\n" } else { ":4\n" });
    print(&text)
}
