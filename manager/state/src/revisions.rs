//! The specs that services have or had: by service and version, each once.
//!
//! A revision is kept while something names it: the history of its service, or a task that was made from it. Every applied
//! event moves these holds, so the same log drops the same revision at the same index everywhere.

use std::sync::Arc;

use cluster_types::{Event, EventKind, Object, ServiceId, ServiceSpec, Version};
use imbl::OrdMap;

/// Names one revision.
pub(crate) type RevisionKey = (ServiceId, Version);

/// A spec and how many objects name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revision {
    pub(crate) spec: Arc<ServiceSpec>,
    pub(crate) holds: u64,
}

/// All revisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Revisions(OrdMap<RevisionKey, Revision>);

impl Revisions {
    pub(crate) fn get(&self, service: ServiceId, version: Version) -> Option<&Arc<ServiceSpec>> {
        self.0.get(&(service, version)).map(|revision| &revision.spec)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RevisionKey, &Revision)> {
        self.0.iter()
    }

    /// Moves the holds that an event makes and ends. New holds first, so that a revision that merely changes hands stays.
    pub(crate) fn follow(&mut self, event: &Event) {
        if event.kind != EventKind::Removed {
            self.hold(&event.object);
        }
        if let Some(before) = &event.before {
            held(before).into_iter().for_each(|key| self.release(key));
        }
    }

    /// An object names its revisions now; a service brings its current one with it.
    pub(crate) fn hold(&mut self, object: &Object) {
        if let Object::Service(service) = object {
            self.add((service.id, service.spec_version), &service.spec);
        }
        for key in held(object) {
            if let Some(revision) = self.0.get_mut(&key) {
                revision.holds += 1;
            }
        }
    }

    /// Puts a spec without any hold, unless it is there.
    pub(crate) fn add(&mut self, key: RevisionKey, spec: &Arc<ServiceSpec>) {
        if !self.0.contains_key(&key) {
            self.0.insert(key, Revision { spec: Arc::clone(spec), holds: 0 });
        }
    }

    fn release(&mut self, key: RevisionKey) {
        let Some(revision) = self.0.get_mut(&key) else { return };
        revision.holds = revision.holds.saturating_sub(1);
        if revision.holds == 0 {
            self.0.remove(&key);
        }
    }
}

/// The revisions that an object names.
fn held(object: &Object) -> Vec<RevisionKey> {
    match object {
        Object::Service(service) => service.history.iter().map(|revision| (service.id, revision.spec_version)).collect(),
        Object::Task(task) => vec![(task.service, task.spec_version)],
        Object::Cluster(_) | Object::Node(_) | Object::Network(_) => Vec::new(),
    }
}
