//! The real helm, as the development cluster builds it.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use devcluster::tools::{self, Upstream};

/// What helm writes when it succeeds.
pub(super) fn run(arguments: &[&str]) -> String {
    let output = output(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "helm {}: {said}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).expect("helm writes text")
}

/// What helm says when it refuses.
pub(super) fn refused(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(
        !output.status.success(),
        "helm {} succeeds",
        arguments.join(" ")
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn output(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command.output().expect("helm can be run")
}

/// Built once and kept; the first time takes a minute.
fn binary() -> PathBuf {
    let tools = tools::ensure(&[Upstream::Helm]).expect("helm can be built");
    tools.file(Upstream::Helm, "helm").expect("helm was built")
}
