//! `--env KEY=VALUE`, `--env KEY` (the value that the variable has here) and `--env-file`.

use std::path::Path;

use crate::failure::Failure;

/// All variables of the files, then of the flags, which win over them.
pub(crate) fn variables(files: &[std::path::PathBuf], flags: &[String]) -> Result<Vec<String>, Failure> {
    let mut variables = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("--env-file {}: {error}", path.display())))?;
        for variable in lines(path, &text)? {
            set(&mut variables, variable);
        }
    }
    for flag in flags {
        if let Some(variable) = resolve(flag) {
            set(&mut variables, variable);
        }
    }
    Ok(variables)
}

/// Puts `KEY=VALUE` in, in place of an earlier one of that key.
pub(crate) fn set(variables: &mut Vec<String>, variable: String) {
    let key = key(&variable).to_owned();
    match variables.iter_mut().find(|old| self::key(old) == key) {
        Some(old) => *old = variable,
        None => variables.push(variable),
    }
}

/// The key of `KEY=VALUE`.
pub(crate) fn key(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(key, _)| key)
}

fn lines(path: &Path, text: &str) -> Result<Vec<String>, Failure> {
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if key(line).is_empty() || key(line).contains(char::is_whitespace) {
            return Err(Failure::usage(format!("{}:{number}: `{}` is not a variable's name", path.display(), key(line))));
        }
        variables.extend(resolve(line));
    }
    Ok(variables)
}

/// A name alone takes the value from here; one that is not set here is left out, as docker does.
fn resolve(variable: &str) -> Option<String> {
    if variable.contains('=') {
        return Some(variable.to_owned());
    }
    std::env::var(variable).ok().map(|value| format!("{variable}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_comments_and_flags_win() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        std::fs::write(&path, "# comment\n\nA=1\n  B=two words\nA=3\nNOT_SET_ANYWHERE_4711\n").unwrap();
        let variables = variables(std::slice::from_ref(&path), &["B=4".to_owned(), "C=".to_owned()]).unwrap();
        assert_eq!(variables, ["A=3", "B=4", "C="]);
        std::fs::write(&path, "A 1=2\n").unwrap();
        assert!(super::variables(&[path], &[]).unwrap_err().to_string().contains("env:1: `A 1` is not a variable's name"));
    }
}
