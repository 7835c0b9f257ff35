//! Events: what one applied entry did, in order. Watchers and the leader loop live on them.

use crate::{Object, Version};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It is new.
    Created,
    /// It changed.
    Updated,
    /// It is gone.
    Removed,
}

/// One object changed at one log index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Log index of the entry.
    pub index: Version,
    /// What happened.
    pub kind: EventKind,
    /// The object after it; when removed, the last it was.
    pub object: Object,
    /// The object before it; none when created.
    pub before: Option<Object>,
}
