//! The sessions that are open on this manager: one for each node. The router wakes them, the log broker sends through them, liveness reads
//! who is there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_api::pb;
use cluster_types::{NodeId, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::admission::{Arrival, Nonces, Present, Verdict};

/// Messages for the log readers that may wait in one session. A node that does not take them counts as one that does not answer.
const WAITING_MESSAGES: usize = 64;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    nodes: Mutex<BTreeMap<NodeId, NodeSessions>>,
    opened: AtomicU64,
}

/// What is remembered of a node.
#[derive(Default)]
struct NodeSessions {
    open: Option<Arc<Handle>>,
    /// When a session that has ended was last heard.
    heard: Option<Timestamp>,
    nonces: Nonces,
}

/// One open session, as the rest of the manager reaches it.
pub(crate) struct Handle {
    /// Tells it from every other session of this manager.
    pub(crate) number: u64,
    /// Its node.
    pub(crate) node: NodeId,
    arrival: Arrival,
    heard: AtomicU64,
    committed: AtomicU64,
    /// Whether its assignments, or its node, may have changed.
    changed: AtomicBool,
    messages: Mutex<VecDeque<pb::manager_message::Item>>,
    wake: Notify,
    /// Ends the session.
    pub(crate) end: CancellationToken,
}

impl Sessions {
    /// Opens the session of a node that came in, or says why not. The node's old session ends.
    pub(crate) fn open(&self, node: NodeId, arrival: Arrival, silence: Duration, now: Timestamp) -> Result<Arc<Handle>, Verdict> {
        let mut nodes = self.lock();
        let sessions = nodes.entry(node).or_default();
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
        Ok(handle)
    }

    /// A session ended. Whether it was still its node's: then the node is disconnected.
    pub(crate) fn closed(&self, handle: &Handle) -> bool {
        let mut nodes = self.lock();
        let Some(sessions) = nodes.get_mut(&handle.node) else { return false };
        let own = sessions.open.as_ref().is_some_and(|open| open.number == handle.number);
        if own {
            sessions.open = None;
            sessions.heard = Some(handle.heard_at());
        }
        own
    }

    /// The open session of a node.
    pub(crate) fn of(&self, node: NodeId) -> Option<Arc<Handle>> {
        self.lock().get(&node).and_then(|sessions| sessions.open.clone())
    }

    /// The nodes with an open session.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.lock().iter().filter(|(_, sessions)| sessions.open.is_some()).map(|(node, _)| *node).collect()
    }

    /// When each node was last heard, open session or not.
    pub(crate) fn heard(&self) -> BTreeMap<NodeId, Timestamp> {
        let heard = |sessions: &NodeSessions| sessions.open.as_ref().map(|open| open.heard_at()).or(sessions.heard);
        self.lock().iter().filter_map(|(node, sessions)| Some((*node, heard(sessions)?))).collect()
    }

    /// Has the sessions of these nodes look at the state again.
    pub(crate) fn wake(&self, nodes: impl IntoIterator<Item = NodeId>) {
        let sessions = self.lock();
        for handle in nodes.into_iter().filter_map(|node| sessions.get(&node)?.open.as_ref()) {
            handle.changed.store(true, Ordering::Release);
            handle.wake.notify_one();
        }
    }

    /// Ends the session of a node that was removed, and forgets the node.
    pub(crate) fn forget(&self, node: NodeId) {
        if let Some(handle) = self.lock().remove(&node).and_then(|sessions| sessions.open) {
            handle.end.cancel();
        }
    }

    /// Ends all sessions: this manager does not lead any more.
    pub(crate) fn end_all(&self) {
        for handle in std::mem::take(&mut *self.lock()).into_values().filter_map(|sessions| sessions.open) {
            handle.end.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, NodeSessions>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    fn new(number: u64, node: NodeId, arrival: Arrival, now: Timestamp) -> Self {
        Self {
            number,
            node,
            arrival,
            heard: AtomicU64::new(now.0),
            committed: AtomicU64::new(0),
            changed: AtomicBool::new(true),
            messages: Mutex::default(),
            wake: Notify::new(),
            end: CancellationToken::new(),
        }
    }

    fn present(&self) -> Present {
        Present { arrival: self.arrival.clone(), heard: self.heard_at() }
    }

    /// A message came.
    pub(crate) fn hear(&self, now: Timestamp) {
        self.heard.store(now.0, Ordering::Relaxed);
    }

    /// When the last message came.
    pub(crate) fn heard_at(&self) -> Timestamp {
        Timestamp(self.heard.load(Ordering::Relaxed))
    }

    /// This many of the statuses that it reported are in the log.
    pub(crate) fn committed(&self, statuses: u64) {
        self.committed.fetch_max(statuses, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether there is a change that the session has not looked at; it does now.
    pub(crate) fn take_change(&self) -> bool {
        self.changed.swap(false, Ordering::Acquire)
    }

    /// How many of its statuses are in the log.
    pub(crate) fn committed_statuses(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Sends a message through the session. Whether there is room for it.
    pub(crate) fn send(&self, message: pb::manager_message::Item) -> bool {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let room = messages.len() < WAITING_MESSAGES;
        if room {
            messages.push_back(message);
        }
        drop(messages);
        self.wake.notify_one();
        room
    }

    /// The messages that wait.
    pub(crate) fn take_messages(&self) -> VecDeque<pb::manager_message::Item> {
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there may be something to send.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
