//! Of our own: a task's container is started once, whatever happens to its agent and its host; and no address is live twice (I9).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use cluster_types::{TaskAssignment, TaskId};

use super::Found;

/// What runs where, and which addresses that takes.
#[derive(Default)]
pub(super) struct Runs {
    addresses: BTreeMap<Ipv4Addr, (usize, TaskId)>,
    hosts: BTreeMap<TaskId, usize>,
}

impl Runs {
    pub(super) fn started(&mut self, host: usize, assignment: &TaskAssignment, starts: u64) -> Found {
        let task = assignment.task;
        if starts > 1 {
            return Err(format!("host {host} starts the container of task {} for the {starts}th time", task.short()));
        }
        match self.hosts.insert(task, host) {
            Some(other) if other != host => Err(format!("hosts {other} and {host} both ran task {}", task.short())),
            Some(_) | None => Ok(()),
        }
    }

    /// A host that was removed from the cluster may have an address that is given anew: only members count.
    pub(super) fn takes_addresses(&mut self, host: usize, assignment: &TaskAssignment, is_member: bool) -> Found {
        for has in assignment.addresses.iter().filter(|_| is_member) {
            let before = self.addresses.insert(has.address, (host, assignment.task));
            if let Some((other, task)) = before.filter(|(_, task)| *task != assignment.task) {
                let (task, own) = (task.short(), assignment.task.short());
                return Err(format!("{} is live on host {other} for task {task} and on host {host} for {own}", has.address));
            }
        }
        Ok(())
    }

    pub(super) fn stopped(&mut self, host: usize, task: TaskId) {
        self.addresses.retain(|_, holder| *holder != (host, task));
    }

    /// A host was removed: what runs there is none of the cluster's.
    pub(super) fn removed(&mut self, host: usize) {
        self.addresses.retain(|_, holder| holder.0 != host);
    }
}
