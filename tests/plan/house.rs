//! The rooms of the house are small: a file that grows past its limit is two.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const LIMIT: usize = 400;

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        walk(&root.join(folder), &mut files).expect("the sources can be listed");
    }
    let lines = |file: &PathBuf| fs::read_to_string(file).map_or(0, |text| text.lines().count());
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, lines(file)))
        .filter(|(_, lines)| *lines > LIMIT)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(files.len() > 50, "the sources were not found");
    assert!(
        long.is_empty(),
        "split by question what has more than {LIMIT}:\n{}",
        long.join("\n")
    );
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
