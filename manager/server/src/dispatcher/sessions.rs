//! The sessions that are open on this manager: one for each node. The router wakes them, the log broker sends through them, liveness reads
//! who is there, and each learns from the others how far their nodes have come with their network views.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_decide::admission::{Arrival, Nonces, Verdict};
use cluster_types::{NodeId, Timestamp, Version};

pub(crate) use super::handle::Handle;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    table: Mutex<Table>,
    opened: AtomicU64,
}

#[derive(Default)]
struct Table {
    nodes: BTreeMap<NodeId, NodeSessions>,
    /// The sessions that hold tasks back until all nodes have applied a newer view, with what all had applied when they last looked.
    holding: BTreeMap<NodeId, Version>,
}

/// What is remembered of a node.
#[derive(Default)]
struct NodeSessions {
    open: Option<Arc<Handle>>,
    /// When a session that has ended was last heard.
    heard: Option<Timestamp>,
    nonces: Nonces,
}

impl Sessions {
    /// Opens the session of a node that came in, or says why not. The node's old session ends.
    pub(crate) fn open(&self, node: NodeId, arrival: Arrival, silence: Duration, now: Timestamp) -> Result<Arc<Handle>, Verdict> {
        let mut table = self.lock();
        let sessions = table.nodes.entry(node).or_default();
        let present = sessions.open.as_deref().map(Handle::present);
        match sessions.nonces.judge(present.as_ref(), &arrival, silence, now) {
            Verdict::Open => {}
            refused @ (Verdict::Copied | Verdict::Replaced) => return Err(refused),
        }
        if let Some(old) = sessions.open.take() {
            old.end.cancel();
            if old.arrival.nonce != arrival.nonce {
                sessions.nonces.replace(old.arrival.nonce.clone());
            }
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let handle = Arc::new(Handle::new(number, node, arrival, now));
        sessions.open = Some(Arc::clone(&handle));
        table.holding.remove(&node);
        // Whoever waits for this node waits for what it applies from now on.
        table.holding.values_mut().for_each(|seen| *seen = Version(0));
        Ok(handle)
    }

    /// A session ended. Whether it was still its node's: then the node is disconnected.
    pub(crate) fn closed(&self, handle: &Handle) -> bool {
        let mut table = self.lock();
        if !table.has(handle) {
            return false;
        }
        if let Some(sessions) = table.nodes.get_mut(&handle.node) {
            sessions.open = None;
            sessions.heard = Some(handle.heard_at());
        }
        table.holding.remove(&handle.node);
        table.wake_holding();
        true
    }

    /// The open session of a node.
    pub(crate) fn of(&self, node: NodeId) -> Option<Arc<Handle>> {
        self.lock().nodes.get(&node).and_then(|sessions| sessions.open.clone())
    }

    /// The nodes with an open session.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.lock().open().map(|handle| handle.node).collect()
    }

    /// When each node was last heard, open session or not.
    pub(crate) fn heard(&self) -> BTreeMap<NodeId, Timestamp> {
        let heard = |sessions: &NodeSessions| sessions.open.as_ref().map(|open| open.heard_at()).or(sessions.heard);
        self.lock().nodes.iter().filter_map(|(node, sessions)| Some((*node, heard(sessions)?))).collect()
    }

    /// Has the sessions of these nodes look at a state that has the entry `index`.
    pub(crate) fn wake(&self, nodes: impl IntoIterator<Item = NodeId>, index: Version) {
        let table = self.lock();
        nodes.into_iter().filter_map(|node| table.nodes.get(&node)?.open.as_ref()).for_each(|handle| handle.look(index));
    }

    /// The same with all sessions.
    pub(crate) fn wake_all(&self, index: Version) {
        self.lock().open().for_each(|handle| handle.look(index));
    }

    /// The state whose network view each node with an open session has applied. The session of `holder` is woken when all have a newer one,
    /// until it [lets go](Self::let_go): it asks before it decides, so that nothing is missed in between.
    pub(crate) fn hold(&self, holder: &Handle) -> BTreeMap<NodeId, Version> {
        let mut table = self.lock();
        let applied: BTreeMap<NodeId, Version> = table.open().map(|handle| (handle.node, handle.applied())).collect();
        if table.has(holder) {
            table.holding.insert(holder.node, applied.values().min().copied().unwrap_or_default());
        }
        applied
    }

    /// A session holds nothing back.
    pub(crate) fn let_go(&self, holder: &Handle) {
        let mut table = self.lock();
        if table.has(holder) {
            table.holding.remove(&holder.node);
        }
    }

    /// The node of some session has applied a newer view.
    pub(crate) fn applied(&self) {
        self.lock().wake_holding();
    }

    /// Ends the session of a node that was removed, and forgets the node.
    pub(crate) fn forget(&self, node: NodeId) {
        let mut table = self.lock();
        table.holding.remove(&node);
        if let Some(handle) = table.nodes.remove(&node).and_then(|sessions| sessions.open) {
            handle.end.cancel();
        }
        table.wake_holding();
    }

    /// Ends all sessions: this manager does not lead any more.
    pub(crate) fn end_all(&self) {
        std::mem::take(&mut *self.lock()).open().for_each(|handle| handle.end.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn open(&self) -> impl Iterator<Item = &Arc<Handle>> {
        self.nodes.values().filter_map(|sessions| sessions.open.as_ref())
    }

    /// Whether a session is still its node's.
    fn has(&self, handle: &Handle) -> bool {
        self.nodes.get(&handle.node).and_then(|sessions| sessions.open.as_ref()).is_some_and(|open| open.number == handle.number)
    }

    /// Wakes the sessions that hold something back, when what all nodes have applied is newer than when they looked.
    fn wake_holding(&self) {
        if self.holding.is_empty() {
            return;
        }
        let applied = self.open().map(|handle| handle.applied()).min().unwrap_or_default();
        let ready = self.holding.iter().filter(|(_, seen)| **seen < applied).map(|(node, _)| node);
        ready.filter_map(|node| self.nodes.get(node)?.open.as_ref()).for_each(|handle| handle.look(Version(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(1);

    fn open(sessions: &Sessions, number: u128) -> Arc<Handle> {
        let arrival = Arrival { nonce: "n".into(), boot: "b".into() };
        let handle = sessions.open(NodeId::from_bits(number), arrival, SILENCE, Timestamp(0)).unwrap();
        assert!(handle.take_change());
        handle
    }

    fn apply(sessions: &Sessions, handle: &Handle, version: u64) {
        let further = handle.progress(|progress| {
            progress.look(Version(version), true);
            progress.acknowledge(Version(version));
        });
        assert!(further);
        sessions.applied();
    }

    #[test]
    fn who_holds_is_woken_when_the_last_node_has_applied_and_not_before() {
        let sessions = Sessions::default();
        let (first, second, third) = (open(&sessions, 1), open(&sessions, 2), open(&sessions, 3));
        let applied = sessions.hold(&first);
        assert_eq!(applied.into_values().collect::<Vec<_>>(), [Version(0); 3]);
        apply(&sessions, &first, 5);
        apply(&sessions, &second, 6);
        assert!(!first.take_change());
        apply(&sessions, &third, 7);
        assert!(first.take_change() && !second.take_change());

        assert_eq!(sessions.hold(&first).into_values().collect::<Vec<_>>(), [Version(5), Version(6), Version(7)]);
        apply(&sessions, &first, 8);
        assert!(first.take_change(), "all have 6");
        sessions.let_go(&first);
        apply(&sessions, &second, 9);
        assert!(!first.take_change(), "it holds nothing any more");
    }

    #[test]
    fn a_node_that_went_away_is_waited_for_no_longer() {
        let sessions = Sessions::default();
        let (first, second, third) = (open(&sessions, 1), open(&sessions, 2), open(&sessions, 3));
        apply(&sessions, &first, 5);
        sessions.hold(&first);
        assert!(sessions.closed(&second));
        assert!(!first.take_change());
        sessions.forget(third.node);
        assert!(first.take_change());
    }
}
