//! `undo`: what was there before a Restore counts again.

use clap_complete::ArgValueCompleter;
use serde_json::json;

use super::{
    complete,
    confirm::confirm,
    fail::Failure,
    progress::{Progress, note},
    reach::bare,
    scope::Scope,
    standing::Standing,
    target::Target,
    wait::{Waiting, fix_of},
};
use crate::{api::Restore, kinds::Of};

/// What is undone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The restore
    #[arg(value_name = "RESTORE", add = ArgValueCompleter::new(complete::restores))]
    pub restore: String,
    /// Its name typed back, where nobody can be asked for it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
What was written since the restore no longer counts; it is kept for a week, as what was there before was.

With kubectl alone:
  kubectl patch drs back --type merge -p '{\"spec\":{\"undo\":true}}'";

/// Undoes a Restore.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.restore, &[Of::Restore])?;
    let cluster = scope.connect().await?;
    let restore: Restore = cluster.get(Of::Restore, &target.name).await?;
    let status = restore.status.unwrap_or_default();
    let into: Vec<String> = restore.spec.services.into_iter().map(|s| s.into).collect();
    let names = into.join(", ");
    if status.undo_until.is_none() && restore.spec.undo != Some(true) {
        return Err(Failure::refused(
            format!("{target} cannot be undone: nothing of what was there before is kept"),
            format!("kubectl roadstead why drs/{}", target.name),
        ));
    }
    let since = status.finished_at.unwrap_or_default();
    note(&format!(
        "what was written to {names} since {since} will no longer count"
    ));
    let given = args.confirm.as_deref();
    confirm(&target.to_string(), "is undone", &target.name, given)?;
    let edited = cluster.edit(&target, json!({"undo": true})).await?;
    if scope.no_wait {
        let sentence = format!("{target} is to be undone.");
        return scope.output.answer(&sentence, &bare(&edited));
    }
    let waiting = Waiting {
        scope,
        what: target.to_string(),
        look: format!(
            "kubectl roadstead why drs/{} -n {}",
            target.name, cluster.namespace
        ),
    };
    let mut progress = Progress::start();
    let see = |object: Option<&kube::api::DynamicObject>| {
        let object = object?;
        match Standing::of(object) {
            Standing::Ready(why) if why.reason == "Undone" => Some(Ok(object.clone())),
            Standing::Stalled(why) => Some(Err(Failure::refused(
                format!("{target} cannot be undone: {}", why.message),
                fix_of(object).unwrap_or_default(),
            ))),
            standing => {
                let why = standing.condition();
                progress.now(why.map_or("", |why| why.message.as_str()));
                None
            }
        }
    };
    let api = cluster.dynamic(Of::Restore);
    let ended = waiting.until(api, &target.name, see).await?;
    drop(progress);
    let sentence = format!("{names}: what was there before {target} is back.");
    scope.output.answer(&sentence, &bare(&ended))
}
