//! When something is to run, as every kind says it: what can be told from the words alone is refused at once.

use kube::core::{Message, Rule};

/// A field of a cron expression: its name, its place, what it takes, and the numbers and names that fit it.
type Field = (&'static str, &'static str, &'static str, &'static str);

const FIELDS: [Field; 5] = [
    ("minute", "first", "0 to 59", "[0-5]?[0-9]"),
    ("hour", "second", "0 to 23", "(2[0-3]|[01]?[0-9])"),
    (
        "day of the month",
        "third",
        "1 to 31",
        "(3[01]|[12][0-9]|0?[1-9])",
    ),
    (
        "month",
        "fourth",
        "1 to 12 or JAN to DEC",
        "(1[0-2]|0?[1-9]|(?i:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC))",
    ),
    (
        "day of the week",
        "fifth",
        "0 (Sunday) to 6 or SUN to SAT",
        "(0?[0-6]|(?i:SUN|MON|TUE|WED|THU|FRI|SAT))",
    ),
];

/// Five words.
const FIVE: &str = "^[-0-9A-Za-z*/,]+( +[-0-9A-Za-z*/,]+){4}$";
/// What names of time zones look like. Which of them there are, the operator knows.
const ZONE: &str = "^[A-Z][-+0-9A-Za-z_]*(/[A-Z][-+0-9A-Za-z_]*)*$";

/// A cron expression of five fields.
pub fn cron() -> Rule {
    rule("", "")
}

/// A cron expression of five fields, or a word for one.
pub fn cron_or_word() -> Rule {
    let words = "self in ['Hourly', 'Daily', 'Weekly', 'Monthly'] || ";
    rule(words, ", or Hourly, Daily, Weekly or Monthly")
}

/// The name of a time zone.
pub fn zone() -> Rule {
    let why = "' is no name of a time zone: write it as the IANA database has it, such as Europe/Zurich or Etc/UTC";
    Rule::new(format!("self.matches('{ZONE}')")).message(Message::Expression(format!(
        "\"timeZone '\" + self + \"{why}\""
    )))
}

fn rule(words: &str, or: &str) -> Rule {
    let all = FIELDS.map(|(.., number)| field(number)).join(" +");
    let mut message = String::new();
    let five = format!(
        "\"' is no cron expression: write five fields (minute, hour, day of the month, month, day of the week), such as 30 2 * * 1-5{or}\""
    );
    message.push_str(&format!("!self.matches('{FIVE}') ? {five} : "));
    for (before, (name, place, takes, number)) in FIELDS.into_iter().enumerate().take(4) {
        let fits = format!("^([^ ]+ +){{{before}}}{} ", field(number));
        let why = of_field(name, place, takes);
        message.push_str(&format!("!self.matches('{fits}') ? {why} : "));
    }
    let (name, place, takes, _) = FIELDS[4];
    message.push_str(&of_field(name, place, takes));
    Rule::new(format!("{words}self.matches('^{all}$')")).message(Message::Expression(format!(
        "\"schedule '\" + self + ({message})"
    )))
}

fn of_field(name: &str, place: &str, takes: &str) -> String {
    format!(
        "\"': the {place} field, the {name}, takes {takes}, a range such as 1-5, a step such as */2, a list of these with commas, or *\""
    )
}

/// A field: a list of numbers, ranges and stars, each with a step if need be.
fn field(number: &str) -> String {
    let item = format!("([*]|{number}(-{number})?)(/0*[1-9][0-9]?)?");
    format!("{item}(,{item})*")
}
