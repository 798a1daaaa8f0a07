//! The goldens: for each kind, worlds and what is decided in them.
//!
//! `<kind>/<case>.seen.yaml` holds a `story` (a sentence), the time `now`, the `object` that is planned (`Kind/name`) and the
//! `world`: Kubernetes objects as people write them, with their status. Next to it, `<case>.plan.yaml` holds the plan. Besides,
//! what must hold for every plan is checked in every case: see `invariants.rs`.
//!
//! Fixtures may leave out `uid`, `resourceVersion`, `generation` and `creationTimestamp`, and say `roadstead.dev/owner: Kind/name`
//! for the UID of that object; the owner reference is then added too. What a plan needs more than one pass for says `passes: 2`.
//! What several cases share stands in a `<name>.world.yaml`, named by `given`; an object of the case takes the place of one there.

mod case;
mod invariants;
mod schema;
mod shown;
mod world;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use case::Case;
use roadstead::kinds::KINDS;

const HOW: &str = "run `UPDATE=1 cargo test --test plan goldens` and read the difference";

/// Whether one wrong case is enough: for a mutant it is.
const QUICK: bool = matches!(env!("CARGO_PKG_NAME").as_bytes(), b"mutants");

#[test]
fn every_case_is_decided_as_committed_and_every_plan_keeps_the_house_rules() {
    let mut wrong = Vec::new();
    for path in cases().expect("the cases can be listed") {
        let name = path.display().to_string();
        if let Err(errors) = judge(&path) {
            wrong.extend(errors.into_iter().map(|error| format!("{name}: {error}")));
            if QUICK {
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{HOW}", wrong.join("\n"));
}

/// All that is wrong with a case.
fn judge(path: &Path) -> Result<(), Vec<String>> {
    let text = fs::read_to_string(path).map_err(|error| vec![error.to_string()])?;
    let case = Case::parse(&text, path).map_err(|error| vec![error])?;
    let plan = case.plan();
    let mut wrong = invariants::broken(&case, &plan);
    let yaml = shown::yaml(&case, &plan);
    let committed = PathBuf::from(path.to_string_lossy().replace(".seen.yaml", ".plan.yaml"));
    if env::var("UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&committed, &yaml).map_err(|error| vec![error.to_string()])?;
    }
    match fs::read_to_string(&committed) {
        Ok(there) if there == yaml => {}
        Ok(there) => wrong.push(format!("the plan differs:\n{}", difference(&there, &yaml))),
        Err(_) => wrong.push("there is no .plan.yaml next to it".into()),
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The first lines in which two texts differ, with what stands before.
fn difference(old: &str, new: &str) -> String {
    let same = old
        .lines()
        .zip(new.lines())
        .take_while(|(a, b)| a == b)
        .count();
    let before = old
        .lines()
        .take(same)
        .skip(same.saturating_sub(3))
        .map(|l| format!("  {l}"));
    let gone = old.lines().skip(same).take(12).map(|l| format!("- {l}"));
    let come = new.lines().skip(same).take(12).map(|l| format!("+ {l}"));
    before
        .chain(gone)
        .chain(come)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `.seen.yaml`, by kind and name. A kind without a folder, a folder without a case, and a `.plan.yaml` of none are errors.
fn cases() -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    // The tests are built in two packages: see `tests/mutants`.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut homes = above.map(|folder| folder.join("tests/plan"));
    let home = homes
        .find(|home| home.is_dir())
        .ok_or(io::ErrorKind::NotFound)?;
    for kind in KINDS.iter().filter(|kind| kind.plan.is_some()) {
        let folder = home.join(kind.kind.to_lowercase());
        let listed = fs::read_dir(&folder)
            .map_err(|error| io::Error::other(format!("{}: {error}", folder.display())))?;
        let mut files: Vec<PathBuf> = listed
            .map(|f| f.map(|f| f.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        let ends = |path: &Path, end: &str| path.to_string_lossy().ends_with(end);
        let (seen, plans): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().partition(|f| ends(f, ".seen.yaml"));
        for plan in plans.into_iter().filter(|f| !ends(f, ".world.yaml")) {
            let case = PathBuf::from(plan.to_string_lossy().replace(".plan.yaml", ".seen.yaml"));
            if !ends(&plan, ".plan.yaml") || !seen.contains(&case) {
                return Err(io::Error::other(format!(
                    "{} belongs to no case",
                    plan.display()
                )));
            }
        }
        if seen.is_empty() {
            return Err(io::Error::other(format!(
                "{} holds no case",
                folder.display()
            )));
        }
        all.extend(seen);
    }
    Ok(all)
}
