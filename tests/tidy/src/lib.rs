//! Reads the project's own source for the checks beside it: which files there are, and how long their functions are.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path below the root.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether the whole file is test code.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("tests.rs")
            || self.path.starts_with("tests/")
            || self.path.contains("/benches/")
    }

    /// The part before the tests at its end.
    #[must_use]
    pub fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&self.text)
    }
}

/// Every Rust file of the project.
#[must_use]
pub fn sources() -> Vec<Source> {
    files(&["rs"])
}

/// Every file with one of the endings that git knows or would take.
#[must_use]
pub fn files(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &root(), endings, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn walk(root: &Path, dir: &Path, endings: &[&str], found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            walk(root, &path, endings, found);
        } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending)) {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.extend(fs::read_to_string(&path).ok().map(|text| Source { path: relative, text }));
        }
    }
}

/// A function's name and how many lines it has, from its signature to its closing brace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its length in lines.
    pub lines: usize,
}

/// The functions of a file that rustfmt has formatted: a body ends at the first `}` as far to the left as the signature.
#[must_use]
pub fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = lines.iter().enumerate().filter_map(|(at, line)| Some((at, function_name(line)?)));
    begins.filter_map(|(at, name)| Some(Function { name: name.to_owned(), lines: length(&lines[at..])? })).collect()
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

fn length(lines: &[&str]) -> Option<usize> {
    let indent = lines[0].len() - lines[0].trim_start().len();
    if lines[0].ends_with('}') || lines[0].ends_with(';') {
        return Some(1);
    }
    let closing = format!("{}}}", " ".repeat(indent));
    lines.iter().position(|line| *line == closing).map(|end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "pub async fn one(a: u8) -> u8 {\n    a\n}\n\nimpl X {\n    fn two() {\n        if a {\n        }\n    }\n}\n";
        let found = functions(text);
        assert_eq!(found[0], Function { name: "one".to_owned(), lines: 3 });
        assert_eq!(found[1], Function { name: "two".to_owned(), lines: 4 });
    }
}
