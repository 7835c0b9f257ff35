//! Runs the real `cluster` binary for the tests of what it prints. The binary is built once, by cargo, as the tests are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// What a command printed, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
}

impl Said {
    /// All of it as one text, for snapshots.
    #[must_use]
    pub fn text(&self) -> String {
        let part = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("{name}:\n{}\n", text.trim_end()) };
        format!("exit {}\n{}{}", self.code, part("stdout", &self.stdout), part("stderr", &self.stderr))
    }
}

/// A command of the binary, without anything of this environment that changes what it prints.
///
/// # Panics
/// When the binary cannot be built.
#[must_use]
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLUSTER_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE").env("COLUMNS", "120");
    command
}

/// Runs the binary to its end.
///
/// # Panics
/// When it cannot be built or started.
#[must_use]
#[expect(clippy::expect_used, reason = "a test that cannot run the binary has failed")]
pub fn run(arguments: &[&str]) -> Said {
    let Output { status, stdout, stderr } = command(arguments).output().expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

/// The binary that is built beside the tests.
#[expect(clippy::expect_used, reason = "a test that cannot run the binary has failed")]
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--workspace", "--bin", "cluster"]).status();
        assert!(built.is_ok_and(|status| status.success()), "cargo cannot build the binary");
        // The tests run from `target/PROFILE/deps`.
        let test = std::env::current_exe().expect("a test knows its own file");
        let profile = test.ancestors().nth(2).expect("a test is below target/PROFILE/deps");
        profile.join("cluster")
    })
}
