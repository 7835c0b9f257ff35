//! Who has which instance of a node's generic resources: tasks that are placed and have not ended. Follows every event, so that finding a
//! free instance need not walk over the tasks of a node, and so that apply can refuse one that is taken.
//!
//! Whether the node still has an instance is not judged here: a machine may lose one at any time, and enforce then takes the task away.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{Event, EventKind, GenericGrant, NodeId, Object, ObjectKey, Rejection, Task, TaskId, TaskState};
use imbl::OrdMap;

use crate::State;

/// The instances of one node that are in use: by kind, then name, with the task that has each.
pub type Instances = BTreeMap<String, BTreeMap<String, TaskId>>;

/// An instance: its node, kind and name.
pub(crate) type Instance = (NodeId, String, String);

/// All instances that are in use. Those of a node are shared with whoever looks at them: a pass that places one task reads those of every
/// node, and changes those of one. Nothing empty is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Generics(OrdMap<NodeId, Arc<Instances>>);

impl Generics {
    /// What is in use, by node.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = (NodeId, &Arc<Instances>)> {
        self.0.iter().map(|(node, instances)| (*node, instances))
    }

    /// Takes an event in. What goes is given back before what comes is taken.
    pub(crate) fn follow(&mut self, event: &Event) {
        let before = event.before.as_ref().map(held).unwrap_or_default();
        let after = if event.kind == EventKind::Removed { Vec::new() } else { held(&event.object) };
        if before == after {
            return;
        }
        before.iter().for_each(|(instance, _)| self.give_back(instance));
        self.extend(after);
    }

    /// An object of a snapshot.
    pub(crate) fn restore(&mut self, object: &Object) {
        self.extend(held(object));
    }

    /// How many are in use.
    pub(crate) fn len(&self) -> usize {
        self.0.values().flat_map(|instances| instances.values()).map(BTreeMap::len).sum()
    }

    /// The task that has an instance.
    fn holder(&self, node: NodeId, kind: &str, name: &str) -> Option<TaskId> {
        self.0.get(&node)?.get(kind)?.get(name).copied()
    }

    fn extend(&mut self, taken: Vec<(Instance, TaskId)>) {
        for ((node, kind, name), task) in taken {
            Arc::make_mut(self.0.entry(node).or_default()).entry(kind).or_default().insert(name, task);
        }
    }

    fn give_back(&mut self, (node, kind, name): &Instance) {
        let Some(shared) = self.0.get_mut(node) else { return };
        let instances = Arc::make_mut(shared);
        if let Some(names) = instances.get_mut(kind) {
            names.remove(name);
            if names.is_empty() {
                instances.remove(kind);
            }
        }
        if instances.is_empty() {
            self.0.remove(node);
        }
    }
}

/// The instances that an object holds.
pub(crate) fn held(object: &Object) -> Vec<(Instance, TaskId)> {
    match object {
        Object::Task(task) => held_by_task(task),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => Vec::new(),
    }
}

fn held_by_task(task: &Task) -> Vec<(Instance, TaskId)> {
    let Some(node) = task.node.filter(|_| !task.generic.is_empty() && task.holds_resources()) else { return Vec::new() };
    instances(&task.generic).map(|(kind, name)| ((node, kind.clone(), name.clone()), task.id)).collect()
}

fn instances(grant: &GenericGrant) -> impl Iterator<Item = (&String, &String)> {
    grant.iter().flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)))
}

impl State {
    /// Each instance that a task is given on a node is nobody else's, and is named once.
    pub(crate) fn check_task_generic(&self, id: TaskId, node: NodeId, grant: &GenericGrant) -> Result<(), Rejection> {
        let refuse = |reason: String| Err(Rejection::Refused { key: ObjectKey::Task(id), reason });
        for (kind, names) in grant {
            for (place, name) in names.iter().enumerate() {
                if names[..place].contains(name) {
                    return refuse(format!("{kind} {name} is named twice"));
                }
                let holder = self.generics.holder(node, kind, name);
                if let Some(holder) = holder.filter(|holder| *holder != id) {
                    return refuse(format!("{kind} {name} of node {node} is in use by task {holder}"));
                }
            }
        }
        Ok(())
    }

    /// A task that is made has instances only with its place.
    pub(crate) fn check_new_task_generic(&self, task: &Task) -> Result<(), Rejection> {
        match task.node.filter(|_| task.status.state == TaskState::Assigned) {
            Some(node) => self.check_task_generic(task.id, node, &task.generic),
            None if task.generic.is_empty() => Ok(()),
            None => Err(Rejection::Refused {
                key: ObjectKey::Task(task.id),
                reason: "a task that is not placed has no generic resources".to_owned(),
            }),
        }
    }
}
