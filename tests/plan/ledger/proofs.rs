//! What the tests claim to prove, read from their comments.
//!
//! A claim is the word `proves`, a colon and a list of ids, in any comment of a Rust or YAML file below `tests/`
//! and in the test modules below `src/`. It goes on in the next comment line if that begins with an id. Over a
//! function it is that function's claim, anywhere else the file's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use super::rows::is_id;

const CLAIM: &str = "proves:";

/// Which tests claim which requirement.
#[derive(Debug, Default, PartialEq)]
pub struct Proofs(BTreeMap<String, BTreeSet<String>>);

impl Proofs {
    /// Reads every test of the project.
    pub fn of(root: &Path) -> Result<Self, String> {
        let mut proofs = Self::default();
        for folder in ["tests", "src"] {
            for path in files(&root.join(folder)).map_err(|error| format!("{folder}: {error}"))? {
                let name = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
                proofs.read(&name, &text)?;
            }
        }
        Ok(proofs)
    }

    /// Notes one claim.
    pub fn add(&mut self, id: &str, place: &str) {
        self.0
            .entry(id.to_owned())
            .or_default()
            .insert(place.to_owned());
    }

    /// Every claim: the requirement and the place of the test.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(id, places)| {
            places
                .iter()
                .map(move |place| (id.as_str(), place.as_str()))
        })
    }

    /// The places that claim one requirement, in order.
    pub fn of_id(&self, id: &str) -> Vec<String> {
        self.0.get(id).into_iter().flatten().cloned().collect()
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), String> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let marks: &[&str] = if name.ends_with(".rs") {
            &["///", "//!", "//"]
        } else {
            &["#"]
        };
        for at in tested(name, &lines)..lines.len() {
            let Some(list) = claim(lines[at], marks) else {
                continue;
            };
            let (ids, end) = listed(list, &lines, at, marks)
                .map_err(|why| format!("{name}:{}: {why}", at + 1))?;
            let place = match function(&lines[end..]) {
                Some(function) if !lines[at].starts_with("//!") => format!("{name}::{function}"),
                _ => name.to_owned(),
            };
            ids.iter().for_each(|id| self.add(id, &place));
        }
        Ok(())
    }
}

/// The Rust and YAML files below a folder, without what is hidden or built.
fn files(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" {
                found.extend(files(&path)?);
            }
        } else if name.ends_with(".rs") || name.ends_with(".yaml") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Where the tests of a file begin: all of a file of tests, otherwise its test module, which clippy keeps last.
fn tested(name: &str, lines: &[&str]) -> usize {
    if name.starts_with("tests/") || name.ends_with("/tests.rs") || name.contains("/tests/") {
        return 0;
    }
    let module = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    };
    lines.windows(2).position(module).unwrap_or(lines.len())
}

fn comment<'a>(line: &'a str, marks: &[&str]) -> Option<&'a str> {
    marks
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .map(str::trim)
}

fn claim<'a>(line: &'a str, marks: &[&str]) -> Option<&'a str> {
    let text = comment(line, marks)?;
    let (before, list) = text.split_once(CLAIM)?;
    before
        .chars()
        .next_back()
        .is_none_or(|c| !c.is_alphanumeric())
        .then_some(list)
}

/// The ids of a claim, and the line after its last one.
fn listed<'a>(
    first: &'a str,
    lines: &[&'a str],
    at: usize,
    marks: &[&str],
) -> Result<(Vec<&'a str>, usize), String> {
    let goes_on = |line: &&'a str| comment(line, marks).filter(|text| begins_with_id(text));
    let further: Vec<&str> = lines[at + 1..].iter().map_while(goes_on).collect();
    let end = at + 1 + further.len();
    let mut ids = Vec::new();
    for line in std::iter::once(first).chain(further) {
        let line = line.trim().trim_end_matches(['.', ',']);
        for id in line.split(',').map(str::trim) {
            if !is_id(id) {
                return Err(format!(
                    "`{id}` is no id; a claim is a list of ids with commas"
                ));
            }
            ids.push(id);
        }
    }
    Ok((ids, end))
}

fn begins_with_id(text: &str) -> bool {
    text.get(..6).is_some_and(is_id)
}

/// The function that the next lines declare, if nothing but comments and attributes stands before it.
fn function<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let mut open = 0;
    for line in lines {
        if open > 0 || line.starts_with("#[") {
            open += line.matches('[').count();
            open = open.saturating_sub(line.matches(']').count());
        } else if !line.starts_with("//") {
            return declared(line);
        }
    }
    None
}

fn declared(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualified =
        |word: &str| ["pub", "async", "const"].contains(&word) || word.starts_with("pub(");
    let name = after.split(['(', '<']).next()?.trim();
    (before.split_whitespace().all(qualified) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<(String, String)> {
        let mut proofs = Proofs::default();
        proofs.read(name, text).expect("good claims");
        proofs
            .all()
            .map(|(id, place)| (id.to_owned(), place.to_owned()))
            .collect()
    }

    fn places(name: &str, text: &str) -> Vec<String> {
        found(name, text)
            .into_iter()
            .map(|(_, place)| place)
            .collect()
    }

    #[test]
    fn a_doc_comment_over_a_function_is_its_claim() {
        let text = "/// It holds.\n///\n/// proves: EP-001, EP-010.\n#[test]\nfn it_holds() {}";
        let place = || "tests/a.rs::it_holds".to_owned();
        assert_eq!(
            found("tests/a.rs", text),
            [("EP-001".into(), place()), ("EP-010".into(), place())]
        );
    }

    #[test]
    fn attributes_of_several_lines_and_generics_are_passed_over() {
        let text =
            "/// proves: EP-001\n#[rstest(\n  a[1],\n)]\n#[tokio::test]\npub async fn it<T>() {}";
        assert_eq!(places("tests/a.rs", text), ["tests/a.rs::it"]);
    }

    #[test]
    fn a_claim_goes_on_over_lines_that_begin_with_an_id() {
        let text = "// proves: EP-001, EP-002,\n// CY-003\n// and nothing else.\nfn it() {}";
        let ids: Vec<String> = found("tests/a.rs", text)
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        assert_eq!(ids, ["CY-003", "EP-001", "EP-002"]);
    }

    #[test]
    fn a_claim_that_stands_over_no_function_is_the_files() {
        assert_eq!(
            places("tests/a.rs", "//! proves: EP-001\nfn it() {}"),
            ["tests/a.rs"]
        );
        assert_eq!(
            places("tests/a.rs", "/// proves: EP-001\nmod it;"),
            ["tests/a.rs"]
        );
        assert_eq!(
            places("tests/a.rs", "/// proves: EP-001\n\nfn it() {}"),
            ["tests/a.rs"]
        );
        assert_eq!(
            places("tests/a/ok.yaml", "kind: A\n# proves: EP-001\n"),
            ["tests/a/ok.yaml"]
        );
    }

    #[test]
    fn only_comments_claim() {
        assert_eq!(
            places("tests/a.rs", "let a = \"// proves: EP-001\";"),
            [""; 0]
        );
        assert_eq!(places("tests/a.yaml", "note: 'proves: EP-001'"), [""; 0]);
        assert_eq!(places("tests/a.rs", "// This disproves: nothing."), [""; 0]);
    }

    #[test]
    fn below_src_only_test_modules_claim() {
        let claim = "/// proves: EP-001\nfn it() {}\n";
        assert_eq!(places("src/a.rs", claim), [""; 0]);
        let module = format!("{claim}#[cfg(test)]\nmod tests {{\n{claim}}}");
        assert_eq!(found("src/a.rs", &module).len(), 1);
        assert_eq!(places("src/a/tests.rs", claim), ["src/a/tests.rs::it"]);
    }

    #[test]
    fn a_claim_of_anything_but_ids_is_refused_with_its_line() {
        let error = Proofs::default()
            .read("tests/a.rs", "\n// proves: EP-001..EP-004")
            .expect_err("no id");
        assert_eq!(
            error,
            "tests/a.rs:2: `EP-001..EP-004` is no id; a claim is a list of ids with commas"
        );
    }
}
