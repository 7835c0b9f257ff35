//! Mounts: absolute paths that stay where they say, and nothing over what the runtime itself mounts.

use std::collections::BTreeSet;

use cluster_types::{Mount, MountKind};

use super::Problems;
use super::words::{self, Words};

/// The runtime mounts these and masks parts of them; a mount in there could undo it.
const KERNEL: [&str; 2] = ["proc", "sys"];
/// Longest path that the kernel takes, in bytes.
const PATH_BYTES: usize = 4_095;

pub(super) fn check(problems: &mut Problems, mounts: &[Mount]) {
    let mut targets = BTreeSet::new();
    for (place, mount) in mounts.iter().enumerate() {
        problems.within(&format!("mounts[{place}]"), |problems| {
            source(problems, &mount.kind);
            target(problems, &mount.target);
            if !targets.insert(components(&mount.target)) {
                problems.add("target", format!("{} has another mount already", Words(&mount.target)));
            }
        });
    }
}

fn source(problems: &mut Problems, kind: &MountKind) {
    match kind {
        MountKind::Bind { source } => {
            if let Err(reason) = is_plain(source) {
                problems.add("source", format!("{} {reason}", Words(source)));
            }
        }
        MountKind::Tmpfs { size, mode } => {
            if *size == Some(0) {
                problems.add("size", "must be more than nothing: leave it out for half of the memory");
            }
            if mode.is_some_and(|mode| mode > 0o7777) {
                problems.add("mode", "must be from 0 to 7777 (octal)");
            }
        }
    }
}

fn target(problems: &mut Problems, target: &str) {
    let components = components(target);
    if let Err(reason) = is_plain(target) {
        problems.add("target", format!("{} {reason}", Words(target)));
    } else if components.is_empty() {
        problems.add("target", "cannot be `/`: the container's own root is there");
    } else if KERNEL.contains(&components[0]) {
        problems.add("target", format!("{} is the kernel's: nothing can be mounted in /proc or /sys", Words(target)));
    }
}

/// Whether a path is absolute and leads where it reads.
pub(super) fn is_plain(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("is not an absolute path: begin it with /");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("has `..` in it: write the path without");
    }
    if words::has_nul(path) {
        return Err("has a NUL character in it");
    }
    if path.len() > PATH_BYTES { Err("is longer than the kernel takes") } else { Ok(()) }
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}
