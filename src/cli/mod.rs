//! How people say it by hand: `kubectl roadstead`, one file a verb.
//!
//! It writes specs and one-shot objects, never a status, through merge patches of just the field: GitOps sees a normal edit.
//! Whatever a verb does, `kubectl` alone can do; the help of each verb ends with how. Results go to standard output, progress to
//! standard error.
//!
//! - [`scope`], [`target`], [`choice`], [`show`], [`fail`]: where to work, on what, how to answer, what to say when it cannot be done.
//! - [`patience`], [`reach`], [`standing`], [`users`], [`wait`], [`track`], [`turn`], [`progress`]: requests, how an object stands, whom it concerns, and
//!   waiting for it.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::CompleteEnv;

pub mod archive;
pub mod backup;
pub mod backups;
pub mod choice;
pub mod complete;
pub mod completion;
pub mod confirm;
pub mod copy;
pub mod diff;
pub mod env;
pub mod exec;
pub mod fail;
pub mod logs;
pub mod once;
pub mod patience;
pub mod progress;
pub mod promote;
pub mod reach;
pub mod release;
pub mod restore;
pub mod rollback;
pub mod run;
pub mod scope;
pub mod show;
pub mod standing;
pub mod status;
pub mod switch;
pub mod target;
pub mod track;
pub mod turn;
pub mod undo;
pub mod uninstall;
pub mod users;
pub mod wait;
pub mod why;

use fail::Failure;
use scope::Scope;
use switch::Way;

/// The platform by hand: see what runs and why it waits, release, roll back, stop, start, back up, restore.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-roadstead",
    bin_name = "kubectl roadstead",
    version,
    after_help = EXIT_CODES,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Where, and how to answer.
    #[command(flatten)]
    pub scope: Scope,
}

const EXIT_CODES: &str = "\
Objects are named as with kubectl: renv/shop-live, msvc/shop-db, acj/nightly, rel/shop-live-8; the long words work too.

Exit codes:
  0    done
  1    it failed, or was refused
  2    the command line is wrong
  3    it goes on, but --timeout is over
  4    there is no such object
  130  Ctrl-C while waiting; what was asked for goes on
exec, and run with a command, end with the command's own.";

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what runs: environments, services, cronjobs, releases under way
    #[command(after_help = status::HELP)]
    Status(status::Args),
    /// Say in one sentence what an object waits for, and what to do
    #[command(after_help = why::HELP)]
    Why(why::Args),
    /// Release environments once more, as they are declared now
    #[command(after_help = release::HELP)]
    Release(release::Args),
    /// Go back to what an earlier release ran
    #[command(after_help = rollback::HELP)]
    Rollback(rollback::Args),
    /// Bring to one environment what another one runs
    #[command(after_help = promote::HELP)]
    Promote(promote::Args),
    /// Make an environment or an application that starts as one that is there
    #[command(after_help = copy::HELP)]
    Copy(copy::Args),
    /// Show what the next release of an environment would change
    #[command(after_help = diff::HELP)]
    Diff(diff::Args),
    /// Show the variables that an environment's containers see
    #[command(after_help = env::HELP)]
    Env(env::Args),
    /// Write what all replicas write
    #[command(after_help = logs::HELP)]
    Logs(logs::Args),
    /// Run a cronjob once, now; or a command in an environment's image and variables
    #[command(after_help = run::HELP)]
    Run(run::Args),
    /// Run a command, or a shell, in a replica that is there
    #[command(after_help = exec::HELP)]
    Exec(exec::Args),
    /// Stop environments or services, suspend cronjobs
    #[command(after_help = switch::STOP_HELP)]
    Stop(switch::Args),
    /// Start environments or services, resume cronjobs
    #[command(after_help = switch::START_HELP)]
    Start(switch::Args),
    /// Retire an application: nothing of it runs, and after a while it is deleted
    #[command(after_help = archive::HELP)]
    Archive(archive::Args),
    /// Bring an archived application back
    #[command(after_help = archive::BACK_HELP)]
    Unarchive(archive::Back),
    /// Back up the data of a service, or of an environment's services
    #[command(after_help = backup::HELP)]
    Backup(backup::Args),
    /// Show what could be restored, by environment and service
    #[command(after_help = backups::HELP)]
    Backups(backups::Args),
    /// Put the data of a backup into a service: the same one, another one, or a new one
    #[command(after_help = restore::HELP)]
    Restore(restore::Args),
    /// Put back what was there before a restore
    #[command(after_help = undo::HELP)]
    Undo(undo::Args),
    /// Release our finalizers when the operator is already gone; data stays
    #[command(after_help = uninstall::HELP)]
    Uninstall(uninstall::Args),
    /// Print what makes the shell complete verbs, flags and names
    #[command(after_help = completion::HELP)]
    Completion(completion::Args),
    /// What kubectl asks while somebody types
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words so far
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// The whole program.
pub fn main() -> ExitCode {
    CompleteEnv::with_factory(Cli::command).complete();
    // Names are asked for on a runtime of their own, so this comes before ours; and no flag of ours may be read from the words.
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match words.split_first() {
        Some((first, words)) if first == "__complete" => completion::answer_kubectl(words),
        _ => {
            let cli = Cli::parse();
            let asked = cli.scope.asked();
            perform(&cli).map_err(|failure| failure.placed(asked.as_deref()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.text();
            if !text.is_empty() {
                progress::note(text.trim_end());
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

fn perform(cli: &Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let scope = &cli.scope;
        match &cli.verb {
            Verb::Status(args) => status::run(args, scope).await,
            Verb::Why(args) => why::run(args, scope).await,
            Verb::Release(args) => release::run(args, scope).await,
            Verb::Rollback(args) => rollback::run(args, scope).await,
            Verb::Promote(args) => promote::run(args, scope).await,
            Verb::Copy(args) => copy::run(args, scope).await,
            Verb::Diff(args) => diff::run(args, scope).await,
            Verb::Env(args) => env::run(args, scope).await,
            Verb::Logs(args) => logs::run(args, scope).await,
            Verb::Run(args) => run::run(args, scope).await,
            Verb::Exec(args) => exec::run(args, scope).await,
            Verb::Stop(args) => switch::run(Way::Stop, args, scope).await,
            Verb::Start(args) => switch::run(Way::Start, args, scope).await,
            Verb::Archive(args) => archive::run(args, scope).await,
            Verb::Unarchive(args) => archive::back(args, scope).await,
            Verb::Backup(args) => backup::run(args, scope).await,
            Verb::Backups(args) => backups::run(args, scope).await,
            Verb::Restore(args) => restore::run(args, scope).await,
            Verb::Undo(args) => undo::run(args, scope).await,
            Verb::Uninstall(args) => uninstall::run(args, scope).await,
            Verb::Completion(args) => completion::run(args),
            Verb::Complete { words } => completion::answer_kubectl(words),
        }
    })
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
