//! Finds the program and executes it, with the words of docker where that fails.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};

/// Why the program was not executed.
#[derive(Debug)]
pub(super) struct NotExecuted {
    /// What the user reads.
    pub(super) reason: String,
    /// 127 when there is no such program, 126 when it cannot be executed.
    pub(super) code: i32,
}

/// Replaces this process by the program. Returns only when that failed.
pub(super) fn execute(args: &[String], env: &[String]) -> NotExecuted {
    let Some(name) = args.first() else { return not_found("", "no command specified") };
    let file = match find(name, search_path(env)) {
        Ok(file) => file,
        Err(failure) => return failure,
    };
    let (Ok(file_text), Ok(args), Ok(env)) = (c_string(&file.to_string_lossy()), c_strings(args), c_strings(env)) else {
        return not_found(name, "an argument contains a NUL character");
    };
    match execve(&file_text, &args, &env) {
        Ok(never) => match never {},
        // The file is there, so it is the interpreter or the loader that is missing.
        Err(Errno::ENOENT) => not_found(name, "no such file or directory"),
        Err(error) => NotExecuted { reason: format!("exec {}: {}", file.display(), error.desc().to_lowercase()), code: 126 },
    }
}

fn search_path(env: &[String]) -> &str {
    env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default()
}

/// A name with a slash is a path; others are looked up.
fn find(name: &str, search: &str) -> Result<PathBuf, NotExecuted> {
    if name.contains('/') {
        return match check(Path::new(name)) {
            Ok(()) => Ok(PathBuf::from(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(not_found(name, &format!("stat {name}: no such file or directory")))
            }
            Err(error) => Err(denied(name, &error)),
        };
    }
    let mut refused = None;
    for dir in search.split(':') {
        let dir = if dir.is_empty() { "." } else { dir };
        let file = Path::new(dir).join(name);
        match check(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.map_or_else(|| not_found(name, "executable file not found in $PATH"), |error| denied(name, &error)))
}

fn check(file: &Path) -> io::Result<()> {
    if std::fs::metadata(file)?.is_dir() {
        return Err(Errno::EACCES.into());
    }
    Ok(access(file, AccessFlags::X_OK)?)
}

fn not_found(name: &str, reason: &str) -> NotExecuted {
    NotExecuted { reason: format!("exec: \"{name}\": {reason}"), code: 127 }
}

fn denied(name: &str, error: &io::Error) -> NotExecuted {
    let reason = Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc().to_lowercase();
    NotExecuted { reason: format!("exec: \"{name}\": {reason}"), code: 126 }
}

fn c_string(text: &str) -> Result<CString, std::ffi::NulError> {
    CString::new(text)
}

fn c_strings(texts: &[String]) -> Result<Vec<CString>, std::ffi::NulError> {
    texts.iter().map(|text| c_string(text)).collect()
}
