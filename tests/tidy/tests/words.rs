//! Words that must not be in the source, and names in the documents that must exist.

use cluster_tidy::{files, root, sources};

const PURE_FOLDERS: [&str; 4] = ["proto/types/", "manager/state/", "manager/decide/", "node/task/"];

/// What a decision may not reach, with what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime::now", "take `now` as an argument"),
    ("Instant::now", "take `now` as an argument"),
    ("std::fs", "files belong to the shells"),
    ("std::env", "the environment belongs to the shells"),
    ("std::process", "processes belong to the shells"),
    ("std::thread", "threads belong to the shells"),
    ("TcpStream", "sockets belong to the shells"),
    ("HashMap", "its order is random: use a BTreeMap"),
    ("HashSet", "its order is random: use a BTreeSet"),
];

/// Words that nothing may hold. Split here, so that this file does not hold them itself.
fn banned() -> Vec<String> {
    [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ign", "ore"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["/work", "/main"],
        ["/wo", "rk/h/"],
        ["/root", "/.c"],
    ]
    .iter()
    .map(|parts| parts.concat())
    .collect()
}

#[test]
fn pure_crates_read_no_clock_and_touch_nothing() {
    for source in sources().into_iter().filter(|source| PURE_FOLDERS.iter().any(|folder| source.path.starts_with(folder))) {
        if source.is_test() {
            continue;
        }
        for (word, instead) in IMPURE {
            assert!(!source.code().contains(word), "{} says {word}: {instead}", source.path);
        }
    }
}

#[test]
fn nothing_is_left_undone_or_bound_to_one_machine() {
    for source in files(&["rs", "md", "toml", "sh", "proto", "service"]) {
        for word in banned() {
            assert!(!source.text.contains(&word), "{} says {word}", source.path);
        }
    }
}

#[test]
fn what_the_documents_name_exists() {
    let all: Vec<_> = sources();
    for document in files(&["md"]) {
        for name in document.text.split('`').skip(1).step_by(2) {
            let is_path = name.contains('/') && name.ends_with(".rs");
            assert!(!is_path || root().join(name).exists(), "{} names {name}, which does not exist", document.path);
            let is_type = document.path == "ARCHITECTURE.md"
                && name.chars().next().is_some_and(char::is_uppercase)
                && name.chars().all(char::is_alphanumeric)
                && name.chars().any(char::is_lowercase);
            let exists = !is_type || all.iter().any(|source| declares(&source.text, name));
            assert!(exists, "{} names {name}, which no source declares", document.path);
        }
    }
}

/// Whether a source declares a type, a trait, a module or a variant of this name.
fn declares(text: &str, name: &str) -> bool {
    ["struct", "enum", "trait", "type", "mod"].iter().any(|kind| text.contains(&format!("{kind} {name}")))
        || text.lines().any(|line| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with([',', '(', ' '])))
}
