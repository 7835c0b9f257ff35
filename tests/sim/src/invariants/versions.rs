//! I3: the version of an object only goes up, and a request moves it once, however often it is proposed.

use std::collections::BTreeMap;

use cluster_state::Applied;
use cluster_types::{Entry, EntryMode, RequestId};

use super::Found;

/// The index at which each request changed something.
#[derive(Default)]
pub(super) struct Versions(BTreeMap<RequestId, u64>);

impl Versions {
    pub(super) fn follow(&mut self, entry: &Entry, applied: &Applied) -> Found {
        for event in &applied.events {
            let (now, before) = (event.object.meta().version, event.before.as_ref().map(|before| before.meta().version));
            let is_removal = event.kind == cluster_types::EventKind::Removed;
            if !is_removal && (now != applied.index || before.is_some_and(|before| before > now)) {
                return Err(format!("{} goes from version {before:?} to {} at {}", event.object.key(), now.0, applied.index.0));
            }
        }
        if entry.mode == EntryMode::Atomic
            && !applied.events.is_empty()
            && let Some(first) = self.0.insert(entry.request, applied.index.0)
        {
            return Err(format!("the request {} is done at {first} and again at {}", entry.request, applied.index.0));
        }
        Ok(())
    }
}
