//! I4: events are in order, unique and without a gap: who follows them has at any time what the state has.

use std::collections::BTreeMap;

use cluster_state::{Applied, View};
use cluster_types::{EventKind, NodeId, Object, ObjectKey, TaskId, Version};

use super::Found;

/// The objects as a watcher knows them.
#[derive(Default)]
pub(super) struct Events {
    index: Version,
    objects: BTreeMap<ObjectKey, Object>,
}

impl Events {
    pub(super) fn begin(&mut self, view: &View) {
        self.index = view.index();
        self.objects = objects(view);
    }

    pub(super) fn follow(&mut self, applied: &Applied) -> Found {
        if applied.index <= self.index {
            return Err(format!("events of {} come after those of {}", applied.index.0, self.index.0));
        }
        self.index = applied.index;
        for event in &applied.events {
            let key = event.object.key();
            let known = self.objects.get(&key);
            let is_known = match event.kind {
                EventKind::Created => known.is_none() && event.before.is_none(),
                EventKind::Updated | EventKind::Removed => known.is_some() && known == event.before.as_ref(),
            };
            if !is_known || event.index != applied.index {
                return Err(format!("{key}: the event of {} does not follow what the watcher knows", event.index.0));
            }
            match event.kind {
                EventKind::Removed => drop(self.objects.remove(&key)),
                EventKind::Created | EventKind::Updated => drop(self.objects.insert(key, event.object.clone())),
            }
        }
        Ok(())
    }

    /// Compares with a state at the same index.
    pub(super) fn check(&self, view: &View) -> Found {
        if view.index() != self.index {
            return Ok(());
        }
        let objects = objects(view);
        let differs = objects.iter().find(|(key, object)| self.objects.get(key) != Some(object)).map(|(key, _)| key);
        match differs.or_else(|| self.objects.keys().find(|key| !objects.contains_key(key))) {
            Some(key) => Err(format!("{key}: a watcher knows another one than the state has at {}", self.index.0)),
            None => Ok(()),
        }
    }

    pub(super) fn has_node(&self, node: NodeId) -> bool {
        self.objects.contains_key(&ObjectKey::Node(node))
    }

    /// Whether a task is of a node.
    pub(super) fn belongs(&self, node: NodeId, task: TaskId) -> Found {
        match self.objects.get(&ObjectKey::Task(task)) {
            Some(Object::Task(known)) if known.node != Some(node) => {
                Err(format!("it is told to run task {}, which is of another node", task.short()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn objects(view: &View) -> BTreeMap<ObjectKey, Object> {
    let cluster = view.cluster().cloned().map(Object::Cluster);
    let nodes = view.nodes().cloned().map(Object::Node);
    let services = view.services().cloned().map(Object::Service);
    let tasks = view.tasks().cloned().map(Object::Task);
    let networks = view.networks().cloned().map(Object::Network);
    cluster.into_iter().chain(nodes).chain(services).chain(tasks).chain(networks).map(|object| (object.key(), object)).collect()
}
