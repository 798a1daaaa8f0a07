//! What a person is told when a verb cannot do what was asked: what is wrong, and what to do.

use std::io;

use super::{patience::Silence, progress::note};

/// The exit codes, as `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Fine,
    /// It failed, or was refused.
    Failed,
    /// The command line was wrong.
    Usage,
    /// It goes on, but `--timeout` is over.
    TimedOut,
    /// There is no such object.
    NotFound,
    /// Ctrl-C while waiting.
    Interrupted,
    /// That of the command that was run.
    Of(u8),
}

impl Exit {
    /// What the program ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
            Self::NotFound => 4,
            Self::Interrupted => 130,
            Self::Of(code) => code,
        }
    }

    /// The exit code of a command, as far as a program can end with it.
    pub fn of(code: i32) -> Self {
        u8::try_from(code).map_or(Self::Failed, Self::Of)
    }
}

/// Why a verb ended without doing all that was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// What the program ends with.
    pub exit: Exit,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to do about it; may be empty.
    pub fix: String,
}

impl Failure {
    /// A failure of any kind.
    pub fn new(exit: Exit, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            fix: fix.into(),
        }
    }

    /// It failed, or was refused.
    pub fn refused(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what, fix)
    }

    /// The command line was wrong.
    pub fn usage(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, fix)
    }

    /// The same where a namespace was named: so must the plugin's commands be that are to be pasted.
    pub fn placed(mut self, namespace: Option<&str>) -> Self {
        const US: &str = "kubectl roadstead ";
        let says = |rest: &str| rest.contains(" -n ") || rest.contains(" --instance");
        if let Some(namespace) = namespace
            && let Some((before, rest)) = self.fix.split_once(US)
            && !says(rest)
            && let Some((verb, rest)) = rest.split_once(' ')
        {
            self.fix = format!("{before}{US}{verb} -n {namespace} {rest}");
        }
        self
    }

    /// The whole text for the terminal: empty when there is nothing to say.
    pub fn text(&self) -> String {
        if self.what.is_empty() {
            return String::new();
        }
        let word = match self.exit {
            Exit::TimedOut | Exit::Interrupted => "note",
            _ => "error",
        };
        if self.fix.is_empty() {
            format!("{word}: {}\n", self.what)
        } else {
            format!("{word}: {}\n  do: {}\n", self.what, self.fix)
        }
    }

    /// What an answer of the API server means to somebody who wanted `doing`, such as `read environment/shop`.
    pub fn from_api(error: &kube::Error, doing: &str) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(status, doing),
            kube::Error::SerdeError(_) => Self::refused(
                format!("could not {doing}: the API server's answer is of another version"),
                "use the plugin of the version that the operator has",
            ),
            kube::Error::Auth(e) => Self::refused(
                format!("could not {doing}: logging in to the cluster failed: {e}"),
                "check the user of the context: kubectl config view --minify",
            ),
            kube::Error::Service(e) if e.is::<Silence>() => Self::refused(
                format!("could not {doing}: {e}"),
                "check the cluster with: kubectl cluster-info; wait longer with --request-timeout, or name another with --context",
            ),
            other => Self::refused(
                format!(
                    "could not {doing}: the API server does not answer: {}",
                    root(other)
                ),
                "check the cluster with: kubectl cluster-info; name another with --context",
            ),
        }
    }

    /// The same for a refusal that the API server put into words.
    pub fn from_status(status: &kube::core::Status, doing: &str) -> Self {
        let said = one_line(&status.message);
        if status.code == 404 && status.details.is_none() {
            return Self::refused(
                format!(
                    "could not {doing}: the cluster does not know the kind, so Roadstead is not installed in it"
                ),
                "install it (helm install roadstead charts/roadstead -n roadstead-system --create-namespace), or name another cluster with --context",
            );
        }
        match (status.code, status.reason.as_str()) {
            (404, _) => Self::new(Exit::NotFound, format!("could not {doing}: {said}"), ""),
            (401, _) => Self::refused(
                format!("could not {doing}: the cluster does not accept your credentials"),
                "log in again, or check the user of the context: kubectl config view --minify",
            ),
            (403, _) => Self::refused(
                format!("you may not {doing}: {said}"),
                "ask for the role in the Instance (spec.access), or name another Instance with --instance",
            ),
            (409, "AlreadyExists") => {
                Self::refused(format!("could not {doing}: {said}"), "try again")
            }
            (409, _) => Self::refused(
                format!("could not {doing}: somebody else changed it at the same moment"),
                "try again",
            ),
            _ => Self::refused(format!("could not {doing}: {said}"), ""),
        }
    }
}

/// The innermost cause: the layers above it only repeat it.
fn root(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    one_line(&inner.to_string())
}

/// A message on one line, without what only the server cares about.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Several failures as one: each is told, the last one's exit code is the program's.
pub fn sum_up(mut failed: Vec<Failure>) -> Result<(), Failure> {
    let last = failed.pop();
    for failure in &failed {
        note(failure.text().trim_end());
    }
    last.map_or(Ok(()), Err)
}

impl From<io::Error> for Failure {
    /// Whoever closes the pipe, like `head`, has seen enough.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Exit::Fine, "", "")
        } else {
            Self::refused(format!("could not write the result: {error}"), "")
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn status(code: u16, reason: &str, message: &str, named: bool) -> Status {
        Status {
            code,
            reason: reason.into(),
            message: message.into(),
            details: named.then(|| serde_json::from_str("{}").unwrap()),
            ..Status::default()
        }
    }

    #[test]
    fn a_missing_object_and_a_missing_kind_are_told_apart() {
        let object = status(404, "NotFound", "environments \"x\" not found", true);
        let kind = status(404, "", "404 page not found", false);
        assert_eq!(
            Failure::from_status(&object, "read it").exit,
            Exit::NotFound
        );
        let kind = Failure::from_status(&kind, "read it");
        assert_eq!(kind.exit, Exit::Failed);
        assert!(kind.what.contains("not installed"));
    }

    #[test]
    fn a_refusal_stands_on_one_line_with_its_fix() {
        let failure = Failure::from_status(&status(403, "Forbidden", "a\n  b", true), "stop it");
        assert_eq!(
            failure.text().lines().next(),
            Some("error: you may not stop it: a b")
        );
        assert!(failure.text().contains("\n  do: "));
    }

    #[test]
    fn a_command_to_paste_names_the_namespace_that_was_named() {
        let placed = |fix: &str, namespace| Failure::refused("x", fix).placed(namespace).fix;
        let run = "kubectl roadstead run shop -- COMMAND";
        assert_eq!(placed(run, None), run);
        assert_eq!(
            placed(run, Some("instance-acme")),
            "kubectl roadstead run -n instance-acme shop -- COMMAND"
        );
        let named = "see why: kubectl roadstead why renv/shop -n other";
        assert_eq!(placed(named, Some("instance-acme")), named);
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit, Exit::Fine);
        assert_eq!(failure.text(), "");
    }
}
