//! The invariants that hold in every state, whatever was applied. Tests and the simulation call it after each entry, [`State::decode`] on
//! what came from outside. Costs as much as a walk over everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{BlockOwner, DesiredState, Object, PublishedPort, Task, TaskState, limits};

use crate::State;
use crate::addresses::{self, Addresses};
use crate::generic::{self, Generics};
use crate::loads::Loads;
use crate::record::Record;
use crate::revisions::{RevisionKey, Revisions};
use crate::table::Table;

impl State {
    /// Every invariant that does not hold, in words. Empty is what it should be.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.check_table(&self.clusters, &mut problems);
        self.check_table(&self.nodes, &mut problems);
        self.check_table(&self.services, &mut problems);
        self.check_table(&self.tasks, &mut problems);
        self.check_table(&self.networks, &mut problems);
        if self.clusters.len() > 1 {
            problems.push(format!("there are {} clusters", self.clusters.len()));
        }
        self.check_services(&mut problems);
        self.check_keys(&mut problems);
        self.tasks.rows().for_each(|task| self.check_task(task, &mut problems));
        self.check_revisions(&mut problems);
        self.check_loads(&mut problems);
        self.check_networks(&mut problems);
        self.check_addresses(&mut problems);
        self.check_generics(&mut problems);
        if !self.requests.is_sound() {
            problems.push("the memory of requests does not fit together or is over its bound".to_owned());
        }
        problems
    }

    fn check_table<R: Record>(&self, table: &Table<R>, problems: &mut Vec<String>) {
        if table.rebuilt_index() != *table.index() {
            problems.push(format!("an index differs from its rows: {:?}", table.index()));
        }
        let newer = table.rows().filter(|row| row.meta().version > self.index);
        problems.extend(newer.map(|row| format!("{} is newer than the state", R::key(row.id()))));
    }

    fn check_services(&self, problems: &mut Vec<String>) {
        for service in self.services.rows() {
            let (id, name) = (service.id, &service.spec.name);
            if self.services.index().get(name) != Some(id) {
                problems.push(format!("service {id}: its name `{name}` is another's too"));
            }
            if self.revisions.get(id, service.spec_version) != Some(&service.spec) {
                problems.push(format!("service {id}: its spec is not its revision {}", service.spec_version.0));
            }
            if service.spec_version > service.meta.version {
                problems.push(format!("service {id}: its spec is newer than itself"));
            }
            let numbers = service.history.iter().map(|revision| (revision.number, revision.spec_version));
            if !numbers.is_sorted_by(|one, other| one.0 < other.0 && one.1 < other.1) || service.history.len() > limits::REVISIONS {
                problems.push(format!("service {id}: its history is not in order, or too long"));
            }
            if service.history.last().map(|revision| revision.spec_version) != Some(service.spec_version) {
                problems.push(format!("service {id}: its history does not end with its spec {}", service.spec_version.0));
            }
            let gone = service.history.iter().find(|revision| self.revisions.get(id, revision.spec_version).is_none());
            problems.extend(gone.map(|revision| format!("service {id}: the spec of its revision {} is gone", revision.number)));
        }
    }

    /// What is given once is found where it was given to: numbers of nodes, ingress ports, names of networks.
    fn check_keys(&self, problems: &mut Vec<String>) {
        for node in self.nodes.rows() {
            if node.number.is_some_and(|number| number == 0 || self.nodes.index().numbered(number) != Some(node.id)) {
                problems.push(format!("node {}: its number is none, or another's too", node.id));
            }
        }
        for service in self.services.rows() {
            let shared = |port: &&PublishedPort| self.services.index().publishing(port.published, port.protocol) != Some(service.id);
            let shared = service.endpoint.ports.iter().find(shared);
            problems.extend(shared.map(|port| format!("service {}: its port {} is another's too", service.id, port.published)));
        }
        for network in self.networks.rows() {
            if self.networks.index().get(&network.spec.name) != Some(network.id) {
                problems.push(format!("network {}: its name `{}` is another's too", network.id, network.spec.name));
            }
        }
    }

    fn check_task(&self, task: &Task, problems: &mut Vec<String>) {
        let (id, state) = (task.id, task.status.state);
        if self.revisions.get(task.service, task.spec_version).is_none() {
            problems.push(format!("task {id}: the spec it was made from is gone"));
        }
        if state >= TaskState::Assigned && task.node.is_none() {
            problems.push(format!("task {id}: it is {state} without a node"));
        }
        if task.not_before.is_some() && task.desired != DesiredState::Ready {
            problems.push(format!("task {id}: it waits for a time though its desired state is {}", task.desired));
        }
    }

    fn check_loads(&self, problems: &mut Vec<String>) {
        let mut counted = Loads::default();
        self.tasks.rows().for_each(|task| counted.restore(task, &self.revisions));
        if counted != self.loads {
            problems.push(format!("the loads of the nodes differ from their tasks: {:?}, not {counted:?}", self.loads));
        }
    }

    /// Subnets and blocks: no two networks share an address. A node that is gone keeps its blocks until its tasks are given up.
    fn check_networks(&self, problems: &mut Vec<String>) {
        let networks: Vec<_> = self.networks.rows().collect();
        for (place, network) in networks.iter().enumerate() {
            let id = network.id;
            let shared = networks[place + 1..].iter().find(|other| other.subnet.overlaps(network.subnet));
            problems.extend(shared.map(|other| format!("network {id}: its subnet meets that of network {}", other.id)));
            for number in network.blocks.keys() {
                if network.block(*number).is_none() {
                    problems.push(format!("network {id}: it has no block {number}"));
                }
            }
        }
    }

    /// The allocator rebuilt from the objects is the one that is kept; no address is given twice, none outside of its owner's block.
    fn check_addresses(&self, problems: &mut Vec<String>) {
        let mut counted = Addresses::default();
        let services = self.services.rows().map(|service| Object::Service(Arc::clone(service)));
        let tasks = self.tasks.rows().map(|task| Object::Task(Arc::clone(task)));
        let mut total = 0;
        for object in services.chain(tasks) {
            total += addresses::held(&object).len();
            counted.restore(&object);
        }
        if counted.len() != total {
            problems.push(format!("{total} addresses are in use, but only {} different ones", counted.len()));
        }
        if counted != self.addresses {
            problems.push("the addresses in use differ from those of tasks and services".to_owned());
        }
        for task in self.tasks.rows().filter(|task| task.holds_resources()) {
            let owner = task.node.map(BlockOwner::Node);
            let outside = task.addresses.iter().find(|has| self.owner(has.network, has.address) != owner);
            problems.extend(outside.map(|has| format!("task {}: {} is not of a block of its node", task.id, has.address)));
        }
    }

    /// What is kept of generic resources is what the tasks say, and no instance is given twice.
    fn check_generics(&self, problems: &mut Vec<String>) {
        let mut counted = Generics::default();
        let mut total = 0;
        for task in self.tasks.rows().filter(|task| !task.generic.is_empty()) {
            let object = Object::Task(Arc::clone(task));
            total += generic::held(&object).len();
            counted.restore(&object);
        }
        if counted.len() != total {
            problems.push(format!("{total} instances of generic resources are in use, but only {} different ones", counted.len()));
        }
        if counted != self.generics {
            problems.push("the generic resources in use differ from those of the tasks".to_owned());
        }
    }

    /// The holds are those that the objects give, and nothing is kept without one.
    fn check_revisions(&self, problems: &mut Vec<String>) {
        let mut counted = Revisions::default();
        self.revisions.iter().for_each(|(key, revision)| counted.add(*key, &revision.spec));
        self.services.rows().for_each(|service| counted.hold(&Object::Service(Arc::clone(service))));
        self.tasks.rows().for_each(|task| counted.hold(&Object::Task(Arc::clone(task))));
        let counted: BTreeMap<RevisionKey, u64> = counted.iter().map(|(key, revision)| (*key, revision.holds)).collect();
        for ((service, version), revision) in self.revisions.iter() {
            let wanted = counted.get(&(*service, *version)).copied().unwrap_or(0);
            if revision.holds != wanted || wanted == 0 {
                problems.push(format!("spec {} of service {service}: {} holds instead of {wanted}", version.0, revision.holds));
            }
        }
    }
}
