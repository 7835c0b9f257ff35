//! The containers of a host as the kernel shows them: process id and start time, which tell a container that lived on from one that was
//! started anew.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::Lab;

/// One container's first process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// Task id, from `service ps`.
    pub task: String,
    /// Its process id on the host.
    pub pid: u64,
    /// When it started, in clock ticks since boot: with the id, unique for ever.
    pub started: u64,
}

/// The running containers of a service, asked from `manager`.
#[must_use]
pub fn containers(lab: &Lab, manager: &str, service: &str) -> BTreeSet<Container> {
    let tasks = lab.must(manager, &["service", "ps", service, "-q", "--no-trunc", "--filter", "desired-state=running"]);
    let tasks: Vec<&str> = tasks.out.split_whitespace().collect();
    if tasks.is_empty() {
        return BTreeSet::new();
    }
    let inspected = lab.list(manager, &[&["service", "inspect"], tasks.as_slice()].concat());
    inspected.iter().filter_map(|task| container(lab, task)).collect()
}

fn container(lab: &Lab, task: &Value) -> Option<Container> {
    let pid = task["Status"]["ContainerStatus"]["PID"].as_u64()?;
    let stat = lab.shell(task["NodeHostname"].as_str()?, &format!("cat /proc/{pid}/stat")).out;
    let started = stat.rsplit(") ").next()?.split(' ').nth(19)?.parse().ok()?;
    Some(Container { task: task["ID"].as_str()?.to_owned(), pid, started })
}

/// How many containers of the image `web` a host has, as its kernel shows them: also those that no manager knows of.
#[must_use]
pub fn serving(lab: &Lab, host: &str) -> usize {
    processes(lab, host, "/bin/serve")
}

/// How many processes of a host have a word in their command lines.
#[must_use]
pub fn processes(lab: &Lab, host: &str, word: &str) -> usize {
    let (first, rest) = word.split_at(1);
    // The brackets keep the search from finding itself.
    let found = lab.shell(host, &format!("grep -la '[{first}]{rest}' /proc/[0-9]*/cmdline 2>/dev/null")).out;
    found.lines().count()
}

/// How many processes of all hosts have a word in their command lines, at one look: one after the other, a process that ends and its
/// successor elsewhere would both count. The word should be of this lab alone.
#[must_use]
pub fn processes_anywhere(word: &str) -> usize {
    let has_word = |process: &fs::DirEntry| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(word)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| process.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit()))
        .filter(has_word)
        .count()
}
