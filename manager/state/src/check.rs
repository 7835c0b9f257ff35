//! The invariants that hold in every state, whatever was applied. Tests and the simulation call it after each entry, [`State::decode`] on
//! what came from outside. Costs as much as a walk over everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{DesiredState, Object, Task, TaskState, Version};

use crate::State;
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
        if self.clusters.len() > 1 {
            problems.push(format!("there are {} clusters", self.clusters.len()));
        }
        self.check_services(&mut problems);
        self.tasks.rows().for_each(|task| self.check_task(task, &mut problems));
        self.check_revisions(&mut problems);
        self.check_loads(&mut problems);
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
            let unsound = |previous: &Version| *previous >= service.spec_version || self.revisions.get(id, *previous).is_none();
            if let Some(previous) = service.previous_version.filter(unsound) {
                problems.push(format!("service {id}: its previous spec {} is gone or not older", previous.0));
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
