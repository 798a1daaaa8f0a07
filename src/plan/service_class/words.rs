//! The words `$(…)` in a class, which we replace: probes expand nothing from Secrets.

/// The words that commands, arguments and variables of the engine may use.
pub const IN_COMMANDS: &[&str] = &["USERNAME", "HOST", "PORT", "DATABASE"];
/// The words that variables of an attached Environment may use besides these.
pub const IN_VARIABLES: &[&str] = &["USERNAME", "HOST", "PORT", "DATABASE", "PASSWORD"];

/// What the words stand for in one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The user that was made.
    pub username: String,
    /// Name of the core Service, fully qualified within the cluster.
    pub host: String,
    /// The default port.
    pub port: i32,
    /// The database that was made.
    pub database: String,
}

impl Words {
    /// The text with every word replaced.
    pub fn fill(&self, text: &str) -> String {
        text.replace("$(USERNAME)", &self.username)
            .replace("$(HOST)", &self.host)
            .replace("$(PORT)", &self.port.to_string())
            .replace("$(DATABASE)", &self.database)
    }

    /// Each text with every word replaced.
    pub fn fill_all(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.fill(text)).collect()
    }
}

/// The first word that is none of these. Only capitals, digits and `_` make a word: `$(date)` is the shell's.
pub fn unknown<'a>(text: &'a str, known: &[&str]) -> Option<&'a str> {
    text.split("$(")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(word, _)| word))
        .filter(|word| !word.is_empty() && word.chars().all(is_of_a_word))
        .find(|word| !known.contains(word))
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_found() {
        assert_eq!(unknown("-U $(USERNAME) $(USER)", IN_COMMANDS), Some("USER"));
    }

    #[test]
    fn what_the_shell_expands_is_no_word_of_ours() {
        assert_eq!(unknown("echo $(date) $(HOST) $HOME", IN_COMMANDS), None);
    }

    #[test]
    fn the_password_is_a_word_of_variables_alone() {
        assert_eq!(unknown("$(PASSWORD)", IN_COMMANDS), Some("PASSWORD"));
        assert_eq!(unknown("$(PASSWORD)", IN_VARIABLES), None);
    }
}
