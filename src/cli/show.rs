//! Results on the terminal: tables of 80 columns, JSON and YAML.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::fail::Failure;

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, within 80 columns
    #[default]
    Table,
    /// For people, with more columns and as wide as it gets
    Wide,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
}

/// Columns that a terminal has at least.
const COLUMNS: u16 = 80;

impl Output {
    /// Whether a person reads it.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// The value as text for programs. People get their own words.
    pub fn render<T: Serialize>(self, value: &T) -> Result<String, Failure> {
        let unwritable = |e: &dyn std::fmt::Display| {
            Failure::refused(format!("the result cannot be written: {e}"), "")
        };
        if self == Self::Yaml {
            // Through JSON, so that both say the same.
            let value = serde_json::to_value(value).map_err(|e| unwritable(&e))?;
            serde_saphyr::to_string(&value).map_err(|e| unwritable(&e))
        } else {
            let mut text = serde_json::to_string_pretty(value).map_err(|e| unwritable(&e))?;
            text.push('\n');
            Ok(text)
        }
    }

    /// Writes a sentence to people and the object to programs.
    pub fn answer<T: Serialize>(self, sentence: &str, value: &T) -> Result<(), Failure> {
        if self.is_for_people() {
            print(&format!("{sentence}\n"))
        } else {
            print(&self.render(value)?)
        }
    }

    /// A table: headings and rows.
    pub fn table(self, head: &[&str], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if self != Self::Wide {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(COLUMNS);
        }
        table.set_header(head);
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines = table.lines();
        lines.map(|l| format!("{}\n", l.trim_end())).collect()
    }
}

/// A sentence under a table, broken between words where it is too long for a line.
pub fn wrapped(sentence: &str) -> String {
    let mut lines = vec![String::from(" ")];
    for word in sentence.split_whitespace() {
        let fits =
            |line: &String| line.chars().count() + 1 + word.chars().count() <= COLUMNS.into();
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("    {word}")),
        }
    }
    lines.join("\n") + "\n"
}

/// Writes to standard output, where results go.
pub fn print(text: &str) -> Result<(), Failure> {
    pass(text.as_bytes())
}

/// Passes on what a command wrote, byte for byte.
pub fn pass(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// How far away a time is, in one or two letters and digits, such as `5m`; `-` where there is none.
pub fn distance(time: Option<&str>, now: Timestamp) -> String {
    let Some(time) = time.and_then(|t| t.parse::<Timestamp>().ok()) else {
        return "-".to_owned();
    };
    let seconds = time.duration_since(now).abs().as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The text, or a dash.
pub fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(wrapped("short enough"), "  short enough\n");
        let text = wrapped(&"sixteen letters ".repeat(9));
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("    "), "{text}");
    }

    #[test]
    fn a_table_fits_eighty_columns_whatever_stands_in_it() {
        let long = "a-name-of-forty-characters-as-is-allowed".to_owned();
        let prose =
            "a sentence that goes on and on until it does not fit on the line any more".to_owned();
        let row = vec![long, "running".into(), "yes".into(), prose];
        let text = Output::Table.table(&["NAME", "STATE", "READY", "WAITS FOR"], vec![row.clone()]);
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        let wide = Output::Wide.table(&["NAME", "STATE", "READY", "WAITS FOR"], vec![row]);
        assert_eq!(wide.lines().count(), 2, "{wide}");
    }

    #[test]
    fn json_and_yaml_say_the_same() {
        let value = serde_json::json!({"b": 1, "a": ["x"]});
        let json: serde_json::Value =
            serde_json::from_str(&Output::Json.render(&value).unwrap()).unwrap();
        let yaml: serde_json::Value =
            serde_saphyr::from_str(&Output::Yaml.render(&value).unwrap()).unwrap();
        assert_eq!(json, yaml);
    }

    #[test]
    fn distances_are_short() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(distance(Some("2026-11-22T12:01:30Z"), now), "90s");
        assert_eq!(distance(Some("2026-11-22T02:30:00Z"), now), "9h");
        assert_eq!(distance(Some("2026-11-01T12:00:00Z"), now), "21d");
        assert_eq!(distance(Some("never"), now), "-");
        assert_eq!(distance(None, now), "-");
    }
}
