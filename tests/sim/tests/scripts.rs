//! Plays the stories of `scripts/` and compares their outcomes. With `CLUSTER_UPDATE_SCRIPTS=1` it writes them anew instead: the difference
//! in git is what a change of the deciders means to a user.

use std::path::{Path, PathBuf};

use cluster_sim::play;

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    paths
}

/// The first line in which the two differ.
fn difference(expected: &str, found: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).chain([String::from("(end)")]).collect::<Vec<_>>();
    let pairs = lines(expected).into_iter().zip(lines(found));
    let first = (1..).zip(pairs).find(|(_, (expected, found))| expected != found);
    first.map_or_else(String::new, |(number, (expected, found))| format!("line {number}:\n  expected {expected}\n  found    {found}"))
}

#[test]
fn every_script_goes_as_it_is_told() {
    let is_update = std::env::var_os("CLUSTER_UPDATE_SCRIPTS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    assert!(!scripts().is_empty(), "there are no scripts");
    for path in scripts() {
        let (name, script) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap());
        assert!(script.starts_with("# "), "{name} does not begin with a sentence of what it shows");
        match play(&script) {
            Ok(found) if found == script => {}
            Ok(found) if is_update => std::fs::write(&path, found).unwrap(),
            Ok(found) => wrong.push(format!("{name}, {}", difference(&script, &found))),
            Err(error) => wrong.push(format!("{name}, {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}\nIf that is what is meant: CLUSTER_UPDATE_SCRIPTS=1", wrong.join("\n"));
}

#[test]
fn another_outcome_is_found() {
    let told = play("# One node.\n> nodes 1\n> lose n1\n").unwrap();
    let altered = told.replace("n1: down", "n1: ready");
    assert_eq!(play(&altered), Ok(told.clone()));
    assert_eq!(difference(&altered, &told), "line 4:\n  expected n1: ready\n  found    n1: down");
}
