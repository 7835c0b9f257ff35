//! One open session, as the rest of the manager reaches it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster_api::pb;
use cluster_decide::admission::{Arrival, Present};
use cluster_decide::progress::Progress;
use cluster_types::{NodeId, Timestamp, Version};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Messages for the log readers that may wait in one session. A node that does not take them counts as one that does not answer.
const WAITING_MESSAGES: usize = 64;

/// See the module.
pub(crate) struct Handle {
    /// Tells it from every other session of this manager.
    pub(crate) number: u64,
    /// Its node.
    pub(crate) node: NodeId,
    pub(super) arrival: Arrival,
    heard: AtomicU64,
    committed: AtomicU64,
    /// Whether its assignments, its network view or its node may have changed.
    changed: AtomicBool,
    /// The newest entry that may have changed them.
    needed: AtomicU64,
    progress: Mutex<Progress>,
    messages: Mutex<VecDeque<pb::manager_message::Item>>,
    wake: Notify,
    /// Ends the session.
    pub(crate) end: CancellationToken,
}

impl Handle {
    pub(super) fn new(number: u64, node: NodeId, arrival: Arrival, now: Timestamp) -> Self {
        Self {
            number,
            node,
            arrival,
            heard: AtomicU64::new(now.0),
            committed: AtomicU64::new(0),
            changed: AtomicBool::new(true),
            needed: AtomicU64::new(0),
            progress: Mutex::default(),
            messages: Mutex::default(),
            wake: Notify::new(),
            end: CancellationToken::new(),
        }
    }

    pub(super) fn present(&self) -> Present {
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

    /// How many of its statuses are in the log.
    pub(crate) fn committed_statuses(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Has the session look again, at a state that has the entry `index`.
    pub(crate) fn look(&self, index: Version) {
        self.needed.fetch_max(index.0, Ordering::Relaxed);
        self.changed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether there is a change that the session has not looked at; it does now.
    pub(crate) fn take_change(&self) -> bool {
        self.changed.swap(false, Ordering::Acquire)
    }

    /// The entry that the next look must include.
    pub(crate) fn needed(&self) -> Version {
        Version(self.needed.load(Ordering::Relaxed))
    }

    /// Takes note of how far the node has come with its network view. Whether it is further than before.
    pub(super) fn progress(&self, note: impl FnOnce(&mut Progress)) -> bool {
        let mut progress = self.locked();
        let before = progress.applied();
        note(&mut progress);
        progress.applied() > before
    }

    /// The newest state whose network view the node has applied.
    pub(super) fn applied(&self) -> Version {
        self.locked().applied()
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

    fn locked(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
