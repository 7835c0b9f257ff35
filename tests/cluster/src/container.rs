//! The containers of a host as the kernel shows them: process id and start time, which tell a container that lived on from one that was
//! started anew.

use std::collections::BTreeSet;

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

/// The running containers of a service on the given hosts, asked from `manager`.
#[must_use]
pub fn containers(lab: &Lab, manager: &str, service: &str) -> BTreeSet<Container> {
    let tasks = lab.must(manager, &["service", "ps", service, "-q", "--no-trunc", "--filter", "desired-state=running"]);
    tasks.out.lines().filter_map(|task| container(lab, manager, task.trim())).collect()
}

fn container(lab: &Lab, manager: &str, task: &str) -> Option<Container> {
    let inspected = lab.list(manager, &["service", "ps", task]);
    let host = inspected.first()?["Node"].as_str()?.to_owned();
    let pid = inspected.first()?["Pid"].as_u64()?;
    let stat = lab.shell(&host, &format!("cat /proc/{pid}/stat")).out;
    let started = stat.rsplit(") ").next()?.split(' ').nth(19)?.parse().ok()?;
    Some(Container { task: task.to_owned(), pid, started })
}
