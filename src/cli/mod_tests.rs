//! The command line as a whole.

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_flags_work_behind_every_verb() {
    for verb in [
        "status",
        "why renv/x",
        "release x",
        "rollback x",
        "copy x --to y",
        "archive x",
        "unarchive x",
        "logs x",
        "run x",
        "stop renv/x",
        "start renv/x",
        "backup msvc/x",
        "backups",
        "restore x",
        "undo x",
        "uninstall",
    ] {
        let line =
            format!("kubectl-roadstead {verb} -n a --context c -o json --timeout 30s --no-wait");
        let cli = parse(&line).unwrap();
        assert_eq!(cli.scope.namespace.as_deref(), Some("a"), "{verb}");
        assert!(cli.scope.no_wait, "{verb}");
    }
}

#[test]
fn an_instance_is_a_short_word_for_its_namespace() {
    let cli = parse("kubectl-roadstead status --instance acme").unwrap();
    assert_eq!(cli.scope.asked().as_deref(), Some("instance-acme"));
    assert!(parse("kubectl-roadstead status --instance acme -n other").is_err());
    assert!(parse("kubectl-roadstead status -A -n other").is_err());
}

#[test]
fn every_verb_says_how_kubectl_does_it_alone() {
    for verb in Cli::command()
        .get_subcommands()
        .filter(|v| !v.is_hide_set())
    {
        let help = verb
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let alone = help.contains("With kubectl alone") || verb.get_name() == "completion";
        assert!(alone, "{}", verb.get_name());
    }
}

#[test]
fn a_wrong_line_ends_with_two() {
    assert_eq!(parse("kubectl-roadstead fly").unwrap_err().exit_code(), 2);
    assert_eq!(parse("kubectl-roadstead stop").unwrap_err().exit_code(), 2);
}

#[test]
fn a_command_behind_two_dashes_belongs_to_run() {
    let cli = parse("kubectl-roadstead run renv/shop -- ls -la").unwrap();
    let Verb::Run(args) = cli.verb else {
        panic!("not run");
    };
    assert_eq!(args.command, ["ls", "-la"]);
}
