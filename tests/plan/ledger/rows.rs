//! The rows of `requirements.md`, read strictly and written back unchanged but for their last column.

use std::fmt;

use super::proofs::Proofs;

/// How many requirements each family has, in the order of the file.
const FAMILIES: [(&str, usize); 4] = [("CH", 120), ("CY", 131), ("DV", 333), ("EP", 51)];
const HEADER: &str = "| id | requirement, in our words | proven by |";
const RULE: &str = "|---|---|---|";
const LONGEST: usize = 140;
const SHOWN: usize = 3;
const VANISHED: &str = "— no test proves it any more";

/// The whole file: every line stands for itself, rows are understood.
pub struct Ledger(Vec<Line>);

enum Line {
    Text(String),
    Row(Row),
}

/// One requirement.
#[derive(Debug, PartialEq)]
pub struct Row {
    id: String,
    requirement: String,
    proof: String,
}

impl Ledger {
    /// Reads the file and refuses anything but every requirement, once, in order.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<Line> = text.lines().map(Line::parse).collect::<Result<_, _>>()?;
        let ledger = Self(lines);
        ledger.is_complete()?;
        ledger.has_headings()?;
        Ok(ledger)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().filter_map(|line| match line {
            Line::Row(row) => Some(row),
            Line::Text(_) => None,
        })
    }

    fn is_complete(&self) -> Result<(), String> {
        let mut found = self.rows().map(|row| row.id.as_str());
        for expected in ids() {
            match found.next() {
                Some(id) if id == expected => {}
                Some(id) => return Err(format!("expected the row {expected}, found {id}")),
                None => return Err(format!("the rows end before {expected}")),
            }
        }
        found
            .next()
            .map_or(Ok(()), |id| Err(format!("{id} comes after the last row")))
    }

    fn has_headings(&self) -> Result<(), String> {
        let mut family = None;
        for line in &self.0 {
            match line {
                Line::Text(text) => {
                    if let Some(heading) = text.strip_prefix("## ") {
                        family = heading.split(':').next();
                    }
                }
                Line::Row(row) if row.id.split('-').next() != family => {
                    return Err(format!("{} stands under the wrong heading", row.id));
                }
                Line::Row(_) => {}
            }
        }
        Ok(())
    }

    /// The same ledger with the last column as the tests have it now.
    pub fn with(self, proofs: &Proofs) -> Result<Self, String> {
        for (id, place) in proofs.all() {
            if !self.rows().any(|row| row.id == id) {
                return Err(format!(
                    "{place} proves {id}, which is no row of requirements.md"
                ));
            }
        }
        let renewed = self.0.into_iter().map(|line| match line {
            Line::Row(row) => Line::Row(row.with(proofs)),
            text => text,
        });
        Ok(Self(renewed.collect()))
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| match line {
            Line::Text(text) => writeln!(out, "{text}"),
            Line::Row(row) => writeln!(out, "| {} | {} | {} |", row.id, row.requirement, row.proof),
        })
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self, String> {
        if !line.trim_start().starts_with('|') || line == HEADER || line == RULE {
            return Ok(Self::Text(line.to_owned()));
        }
        Row::parse(line)
            .map(Self::Row)
            .map_err(|why| format!("{why}: {line}"))
    }
}

impl Row {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let inner = line
            .strip_prefix("| ")
            .and_then(|rest| rest.strip_suffix(" |"));
        let cells: Vec<&str> = inner
            .ok_or("a row is `| id | sentence | proof |`")?
            .split(" | ")
            .collect();
        let [id, requirement, proof] = cells[..] else {
            return Err("a row has three cells");
        };
        if !is_id(id) {
            return Err("the first cell is no id");
        }
        if requirement.is_empty() || requirement != requirement.trim() || requirement.contains('|')
        {
            return Err("the second cell is one plain sentence");
        }
        if requirement.chars().count() > LONGEST {
            return Err("the sentence is longer than 140 characters");
        }
        if !is_proof(proof) {
            return Err("the third cell is `— why` or the tests");
        }
        let [id, requirement, proof] = [id, requirement, proof].map(str::to_owned);
        Ok(Self {
            id,
            requirement,
            proof,
        })
    }

    fn with(self, proofs: &Proofs) -> Self {
        let places = proofs.of_id(&self.id);
        let proof = match places.len() {
            0 if self.proof.starts_with('—') => self.proof,
            0 => VANISHED.to_owned(),
            n if n > SHOWN => format!("{}<br>+{}", places[..SHOWN].join("<br>"), n - SHOWN),
            _ => places.join("<br>"),
        };
        Self { proof, ..self }
    }
}

fn ids() -> impl Iterator<Item = String> {
    FAMILIES
        .iter()
        .flat_map(|(family, count)| (1..=*count).map(move |n| format!("{family}-{n:03}")))
}

/// Two capital letters, a hyphen, three digits.
pub fn is_id(text: &str) -> bool {
    let Some((family, number)) = text.split_once('-') else {
        return false;
    };
    family.len() == 2
        && number.len() == 3
        && family.bytes().all(|b| b.is_ascii_uppercase())
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_proof(cell: &str) -> bool {
    match cell.strip_prefix("— ") {
        Some(why) => !why.trim().is_empty() && !why.contains('|'),
        None => cell.split("<br>").all(is_place),
    }
}

fn is_place(part: &str) -> bool {
    let more = part
        .strip_prefix('+')
        .is_some_and(|n| n.parse::<usize>().is_ok());
    more || part.starts_with("tests/") || part.starts_with("src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> String {
        let mut text = String::from("# Requirements\n");
        let mut family = String::new();
        for id in ids() {
            if family != id[..2] {
                family = id[..2].to_owned();
                text += &format!("\n## {family}: things\n\n{HEADER}\n{RULE}\n");
            }
            text += &format!("| {id} | It works | — not started |\n");
        }
        text
    }

    fn refusal(line: &str) -> &'static str {
        Row::parse(line).expect_err("a bad row")
    }

    fn refused(text: &str) -> String {
        Ledger::parse(text).err().expect("a bad ledger")
    }

    fn claims(claimed: &[(&str, &str)]) -> Proofs {
        let mut proofs = Proofs::default();
        claimed.iter().for_each(|(id, place)| proofs.add(id, place));
        proofs
    }

    #[test]
    fn there_are_635_requirements() {
        assert_eq!(ids().count(), 635);
    }

    #[test]
    fn a_whole_ledger_is_written_back_as_it_was_read() {
        let text = whole();
        assert_eq!(
            Ledger::parse(&text).map(|ledger| ledger.to_string()),
            Ok(text)
        );
    }

    #[test]
    fn a_missing_row_is_refused() {
        let text = whole().replace("| DV-017 | It works | — not started |\n", "");
        assert_eq!(refused(&text), "expected the row DV-017, found DV-018");
    }

    #[test]
    fn a_row_that_stands_twice_is_refused() {
        let row = "| EP-002 | It works | — not started |\n";
        let text = whole().replace(row, &row.repeat(2));
        assert_eq!(refused(&text), "expected the row EP-003, found EP-002");
    }

    #[test]
    fn a_last_row_that_is_missing_or_too_much_is_refused() {
        let last = "| EP-051 | It works | — not started |\n";
        assert_eq!(
            refused(&whole().replace(last, "")),
            "the rows end before EP-051"
        );
        let more = whole() + "| EP-052 | It works | — not started |\n";
        assert_eq!(refused(&more), "EP-052 comes after the last row");
    }

    #[test]
    fn a_family_without_its_heading_is_refused() {
        let text = whole().replace("## CY: things", "## Others");
        assert_eq!(refused(&text), "CY-001 stands under the wrong heading");
    }

    #[test]
    fn bad_rows_are_refused_with_the_reason() {
        assert_eq!(
            refusal("|EP-001|It works|— no|"),
            "a row is `| id | sentence | proof |`"
        );
        assert_eq!(refusal("| EP-001 | It works |"), "a row has three cells");
        assert_eq!(
            refusal("| EP-001 | It | works | — no |"),
            "a row has three cells"
        );
        assert_eq!(
            refusal("| EP-1 | It works | — no |"),
            "the first cell is no id"
        );
        assert_eq!(
            refusal("| EP-001 | a|b | — no |"),
            "the second cell is one plain sentence"
        );
        assert_eq!(
            refusal("| EP-001 |  | — no |"),
            "the second cell is one plain sentence"
        );
        let long = format!("| EP-001 | {} | — no |", "a".repeat(141));
        assert_eq!(refusal(&long), "the sentence is longer than 140 characters");
        assert_eq!(
            refusal("| EP-001 | It works | yes |"),
            "the third cell is `— why` or the tests"
        );
        assert_eq!(
            refusal("| EP-001 | It works | —  |"),
            "the third cell is `— why` or the tests"
        );
    }

    #[test]
    fn a_bad_row_is_refused_with_the_file() {
        assert!(
            refused(&whole().replace("| EP-007 |", "| EP-7 |"))
                .starts_with("the first cell is no id")
        );
    }

    #[test]
    fn a_proof_takes_the_place_of_the_reason() {
        let ledger =
            Ledger::parse(&whole()).and_then(|l| l.with(&claims(&[("EP-002", "tests/a.rs::b")])));
        let text = ledger
            .map(|ledger| ledger.to_string())
            .expect("a good ledger");
        assert!(text.contains("| EP-002 | It works | tests/a.rs::b |\n"));
        assert!(text.contains("| EP-003 | It works | — not started |\n"));
    }

    #[test]
    fn more_than_three_proofs_are_counted() {
        let row = Row::parse("| EP-001 | It works | — no |").expect("a good row");
        let places = [
            "tests/a.rs",
            "tests/b.rs",
            "tests/c.rs",
            "tests/d.rs",
            "tests/e.rs",
        ];
        let proofs = claims(&places.map(|place| ("EP-001", place)));
        assert_eq!(
            row.with(&proofs).proof,
            "tests/a.rs<br>tests/b.rs<br>tests/c.rs<br>+2"
        );
    }

    #[test]
    fn a_proof_that_vanished_is_said() {
        let row = Row::parse("| EP-001 | It works | tests/a.rs::b<br>+2 |").expect("a good row");
        assert_eq!(row.with(&Proofs::default()).proof, VANISHED);
    }

    #[test]
    fn a_proof_of_an_unknown_requirement_is_refused() {
        let ledger =
            Ledger::parse(&whole()).and_then(|l| l.with(&claims(&[("XX-001", "tests/a.rs")])));
        let error = ledger.err().expect("an unknown id");
        assert_eq!(
            error,
            "tests/a.rs proves XX-001, which is no row of requirements.md"
        );
    }
}
