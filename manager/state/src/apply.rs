//! Applying a log entry: the one place where the state changes.
//!
//! What is checked here is what keeps the state sound whoever writes: ids and names taken once, versions as expected, references that
//! exist, fields that only move forward. Whether a change is wise is judged before it is proposed, by `cluster-decide`.

use std::sync::Arc;

use cluster_types::{
    Change, Cluster, DesiredState, Endpoint, Entry, EntryMode, Event, Lifetime, Network, Node, Object, ObjectKey, Rejection, Service,
    ServiceStep, Task, TaskState, TaskStep, Version, bug,
};

use crate::requests::Outcomes;
use crate::service;
use crate::steps;
use crate::table::Stamp;
use crate::{Applied, State};

impl State {
    /// Applies the entry at log index `index`. The same entries in the same order give the same state on every manager.
    ///
    /// An entry at or below [`State::index`] has been applied already: it changes nothing and has no outcomes. An atomic request that was
    /// applied before gives its old outcomes and no events.
    pub fn apply(&mut self, index: u64, entry: &Entry) -> Applied {
        let stamp = Stamp { index: Version(index), at: entry.at };
        if stamp.index <= self.index {
            return Applied { index: stamp.index, outcomes: Vec::new(), events: Vec::new() };
        }
        (self.index, self.time) = (stamp.index, stamp.at);
        if let Some(outcomes) = self.requests.get(entry.request) {
            return Applied { index: stamp.index, outcomes: outcomes.clone(), events: Vec::new() };
        }
        let (outcomes, events) = match entry.mode {
            EntryMode::Atomic => self.apply_together(stamp, entry),
            EntryMode::Each => self.apply_each(stamp, &entry.changes),
        };
        Applied { index: stamp.index, outcomes, events }
    }

    fn apply_each(&mut self, stamp: Stamp, changes: &[Change]) -> (Outcomes, Vec<Event>) {
        let mut events = Vec::new();
        let outcomes = changes.iter().map(|change| self.change(stamp, change).map(|event| events.extend(event))).collect();
        if bug!(EventMissing) && events.len() == 5 {
            events.pop();
        }
        (outcomes, events)
    }

    /// All or nothing: the first rejection ends it, takes everything back and marks the other changes as aborted.
    fn apply_together(&mut self, stamp: Stamp, entry: &Entry) -> (Outcomes, Vec<Event>) {
        let before = self.clone();
        let mut outcomes: Outcomes = vec![Ok(()); entry.changes.len()];
        let mut events = Vec::new();
        for (place, change) in entry.changes.iter().enumerate() {
            match self.change(stamp, change) {
                Ok(event) => events.extend(event),
                Err(rejection) => {
                    *self = before;
                    outcomes.fill(Err(Rejection::Aborted));
                    outcomes[place] = Err(rejection);
                    events.clear();
                    break;
                }
            }
        }
        self.requests.insert(entry.request, Arc::new(outcomes.clone()));
        (outcomes, events)
    }

    /// One change: an event, or none when all is as wanted already, or a rejection that left the state alone.
    fn change(&mut self, stamp: Stamp, change: &Change) -> Result<Option<Event>, Rejection> {
        let event = match change {
            Change::Create(object) => self.create(stamp, object).map(Some),
            Change::Update { object, expect } => self.update(stamp, object, *expect),
            Change::Remove { key, expect } => self.remove(stamp, *key, *expect).map(Some),
            Change::Task(id, step) => {
                if let TaskStep::Assign(node, addresses, generic) = step {
                    self.check_task_addresses(*id, *node, addresses)?;
                    self.check_task_generic(*id, *node, generic)?;
                }
                let nodes = &self.nodes;
                self.tasks.change(stamp, *id, |task| steps::step_task(task, step, stamp, |node| nodes.get(node).is_some()))
            }
            Change::Node(id, step) => {
                self.check_number(*id, step)?;
                self.nodes.change(stamp, *id, |node| steps::step_node(node, step))
            }
            Change::Service(id, step) => {
                if let ServiceStep::Endpoint(endpoint) = step {
                    self.check_endpoint(*id, endpoint)?;
                }
                let revisions = &self.revisions;
                self.services.change(stamp, *id, |service| service::step(service, step, revisions, stamp))
            }
            Change::Network(id, step) => {
                self.check_block(*id, step)?;
                self.networks.change(stamp, *id, |network| steps::step_network(network, step))
            }
        }?;
        if let Some(event) = &event {
            self.loads.follow(event, &self.revisions);
            self.addresses.follow(event);
            self.generics.follow(event);
            self.revisions.follow(event);
        }
        Ok(event)
    }

    fn create(&mut self, stamp: Stamp, object: &Object) -> Result<Event, Rejection> {
        match object {
            Object::Cluster(cluster) => {
                let existing = self.clusters.rows().next().map(|existing| existing.id);
                existing.map_or(Ok(()), |id| Err(Rejection::Exists(ObjectKey::Cluster(id))))?;
                self.clusters.create(stamp, Cluster::clone(cluster))
            }
            Object::Node(node) => self.nodes.create(stamp, Node::clone(node)),
            Object::Service(service) => {
                self.check_new_service(service, stamp)?;
                let service = Service {
                    spec_version: stamp.index,
                    history: service::first_revision(&service.author, stamp),
                    update: None,
                    endpoint: Endpoint::default(),
                    job: None,
                    ..Service::clone(service)
                };
                self.services.create(stamp, service)
            }
            Object::Task(task) => {
                self.check_new_task(task)?;
                self.tasks.create(stamp, Task { life: Lifetime::default(), ..Task::clone(task) })
            }
            Object::Network(network) => {
                self.check_new_network(network)?;
                self.networks.create(stamp, Network { blocks: std::collections::BTreeMap::new(), ..Network::clone(network) })
            }
        }
    }

    /// The revision may be taken when one entry makes, uses and removes the same service: no plan or user does that.
    fn check_new_service(&self, service: &Service, stamp: Stamp) -> Result<(), Rejection> {
        let key = ObjectKey::Service(service.id);
        if self.revisions.get(service.id, stamp.index).is_some() {
            return Err(Rejection::Exists(key));
        }
        self.check_spec_networks(&service.spec)?;
        match self.services.index().get(&service.spec.name) {
            Some(holder) if holder != service.id => {
                Err(Rejection::NameTaken { name: service.spec.name.clone(), holder: ObjectKey::Service(holder) })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_new_task(&self, task: &Task) -> Result<(), Rejection> {
        let refuse = |reason: &str| Err(Rejection::Refused { key: ObjectKey::Task(task.id), reason: reason.to_owned() });
        if self.services.get(task.service).is_none() {
            return Err(Rejection::Missing(ObjectKey::Service(task.service)));
        }
        if self.revisions.get(task.service, task.spec_version).is_none() {
            return refuse("its service has no spec of that version any more");
        }
        if let Some(node) = task.node.filter(|node| self.nodes.get(*node).is_none()) {
            return Err(Rejection::Missing(ObjectKey::Node(node)));
        }
        if task.status.state > TaskState::Assigned || (task.status.state == TaskState::Assigned && task.node.is_none()) {
            return refuse("a new task is new or pending, or assigned when it has a node");
        }
        if !task.addresses.is_empty() && task.status.state != TaskState::Assigned {
            return refuse("a task that is not placed has no addresses");
        }
        if let Some(node) = task.node {
            self.check_task_addresses(task.id, node, &task.addresses)?;
        }
        self.check_new_task_generic(task)?;
        if task.not_before.is_some() && task.desired != DesiredState::Ready {
            return refuse("only a task of desired state ready has a time before which it may not start");
        }
        Ok(())
    }

    fn update(&mut self, stamp: Stamp, object: &Object, expect: Version) -> Result<Option<Event>, Rejection> {
        match object {
            Object::Cluster(new) => {
                self.clusters.at_version(new.id, Some(expect))?;
                self.clusters.change(stamp, new.id, |cluster| {
                    *cluster = Cluster { meta: cluster.meta, ..Cluster::clone(new) };
                    Ok(())
                })
            }
            Object::Node(new) => {
                self.nodes.at_version(new.id, Some(expect))?;
                self.nodes.change(stamp, new.id, |node| {
                    node.spec = new.spec.clone();
                    Ok(())
                })
            }
            Object::Service(new) => {
                self.services.at_version(new.id, Some(expect))?;
                self.check_spec_networks(&new.spec)?;
                self.services.change(stamp, new.id, |service| service::respec(service, &new.spec, &new.author, stamp))
            }
            Object::Task(new) => {
                let reason = "a task is changed step by step, never as a whole".to_owned();
                Err(Rejection::Refused { key: ObjectKey::Task(new.id), reason })
            }
            Object::Network(new) => {
                self.networks.at_version(new.id, Some(expect))?;
                self.networks.change(stamp, new.id, |network| steps::respec_network(network, &new.spec))
            }
        }
    }

    fn remove(&mut self, stamp: Stamp, key: ObjectKey, expect: Option<Version>) -> Result<Event, Rejection> {
        match key {
            ObjectKey::Cluster(_) => Err(Rejection::Refused { key, reason: "the cluster itself cannot be removed".to_owned() }),
            ObjectKey::Node(id) => self.nodes.remove(stamp, id, expect),
            ObjectKey::Service(id) => self.services.remove(stamp, id, expect),
            ObjectKey::Task(id) => self.tasks.remove(stamp, id, expect),
            ObjectKey::Network(id) => {
                self.check_unused_network(id)?;
                self.networks.remove(stamp, id, expect)
            }
        }
    }
}
