//! What must hold whatever happens.
//!
//! - I1: what was acknowledged is durable on a quorum and stays for ever: nobody applies another entry at its index.
//! - I2: a read that the leader has confirmed sees what was acknowledged before it began.
//! - I3: versions of an object only go up.
//! - I5: the same state at the same index.
//! - At most one leader of a term is ready: has applied an entry of its own term.

use std::collections::{BTreeMap, BTreeSet};

use cluster_raft::Leadership;
use cluster_raft::types::LogId;
use cluster_types::{EventKind, ObjectKey, RequestId, Version};

/// What a manager applied.
pub(crate) struct Seen {
    pub(crate) id: LogId,
    pub(crate) request: Option<RequestId>,
    /// Of the state after it; not after each.
    pub(crate) hash: Option<u64>,
    pub(crate) events: Vec<(ObjectKey, Version, EventKind)>,
}

/// What does not hold, and how.
pub(crate) type Found = Result<(), (&'static str, String)>;

/// See the module.
#[derive(Default)]
pub(crate) struct Checks {
    /// The log as it was applied first.
    log: BTreeMap<u64, (LogId, Option<RequestId>)>,
    /// The state's hash after each index.
    hashes: BTreeMap<u64, u64>,
    /// How far each manager is.
    applied: BTreeMap<u64, u64>,
    versions: BTreeMap<(u64, ObjectKey), Version>,
    ready: BTreeMap<u64, u64>,
    elected: BTreeMap<u64, BTreeSet<u64>>,
    /// Largest index that was acknowledged.
    pub(crate) acknowledged: u64,
}

impl Checks {
    pub(crate) fn applied(&mut self, manager: u64, seen: Seen) -> Found {
        let (id, index) = (seen.id, seen.id.index);
        let known = *self.log.entry(index).or_insert((id, seen.request));
        if known != (id, seen.request) {
            return Err(("I1", format!("manager {manager} applies {id} at {index}, where {} was applied before", known.0)));
        }
        self.applied.insert(manager, index);
        seen.hash.map_or(Ok(()), |hash| self.state_at(manager, index, hash))?;
        seen.events.iter().try_for_each(|(key, version, kind)| self.version(manager, *key, *version, *kind))
    }

    /// A manager begins with a snapshot, or nothing.
    pub(crate) fn restored(&mut self, manager: u64, upto: Option<LogId>, hash: u64) -> Found {
        self.versions.retain(|(of, _), _| *of != manager);
        let Some(id) = upto else {
            self.applied.remove(&manager);
            return Ok(());
        };
        self.applied.insert(manager, id.index);
        match self.log.get(&id.index) {
            Some((known, _)) if *known == id => self.state_at(manager, id.index, hash),
            known => Err(("I1", format!("manager {manager} has a snapshot up to {id}, where {known:?} was applied"))),
        }
    }

    fn state_at(&mut self, manager: u64, index: u64, hash: u64) -> Found {
        let known = *self.hashes.entry(index).or_insert(hash);
        if known == hash { Ok(()) } else { Err(("I5", format!("manager {manager} has another state at {index}: {hash:x}, not {known:x}"))) }
    }

    fn version(&mut self, manager: u64, key: ObjectKey, version: Version, kind: EventKind) -> Found {
        if kind == EventKind::Removed {
            self.versions.remove(&(manager, key));
            return Ok(());
        }
        match self.versions.insert((manager, key), version) {
            Some(before) if before >= version => Err(("I3", format!("manager {manager}: {key:?} goes from {before:?} to {version:?}"))),
            _ => Ok(()),
        }
    }

    pub(crate) fn leads(&mut self, manager: u64, now: &Leadership, elected: bool) -> Found {
        if elected {
            self.elected.entry(now.term).or_default().insert(manager);
        }
        if !now.is_self_and_ready {
            return Ok(());
        }
        let other = *self.ready.entry(now.term).or_insert(manager);
        if other == manager { Ok(()) } else { Err(("leaders", format!("managers {other} and {manager} both lead in term {}", now.term))) }
    }

    /// Terms in which more than one manager was elected. openraft allows it; at most one of them is ever ready.
    pub(crate) fn shared_terms(&self) -> u64 {
        self.elected.values().filter(|leaders| leaders.len() > 1).count() as u64
    }

    pub(crate) fn terms(&self) -> u64 {
        self.elected.len() as u64
    }

    /// A client was told so.
    pub(crate) fn acknowledged(&mut self, id: LogId, request: RequestId) -> Found {
        self.acknowledged = self.acknowledged.max(id.index);
        match self.log.get(&id.index) {
            Some((known, Some(of))) if *known == id && *of == request => Ok(()),
            known => Err(("I1", format!("a client was told that its request {request} is {id}, where {known:?} was applied"))),
        }
    }

    /// A manager confirmed a read.
    pub(crate) fn read(&self, manager: u64, acknowledged_before: u64) -> Found {
        let applied = self.index_of(manager);
        if applied >= acknowledged_before {
            return Ok(());
        }
        Err(("I2", format!("a read at manager {manager} sees {applied}, and {acknowledged_before} was acknowledged before it")))
    }

    pub(crate) fn index_of(&self, manager: u64) -> u64 {
        self.applied.get(&manager).copied().unwrap_or(0)
    }

    pub(crate) fn entries(&self) -> u64 {
        self.log.len() as u64
    }
}
