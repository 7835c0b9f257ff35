//! Names of log files: `log.1`, `log.2`, … in the container's folder. The highest number is the one written to; a file never changes its
//! number, so a reader that fell behind knows where to go on.

use std::io;
use std::path::{Path, PathBuf};

/// The log file with a number.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("log.{number}"))
}

/// The numbers of the log files that are there, in order.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        if let Some(number) = number_of(&entry?.file_name()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(name: &std::ffi::OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix("log.")?.parse().ok()
}
