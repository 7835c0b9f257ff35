//! What all sessions share when they look at the state: a view of it, and what `decide::network_view` keeps for the network views of all
//! nodes.
//!
//! The router notes events; when a session needs them, the fabric follows them, once for all sessions. The next look is made when all have
//! used the last one, and after as much time again: thousands of changes a second are taken together, and a single one waits for nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_decide::network_view::Fabric;
use cluster_raft::Raft;
use cluster_state::{Applied, View};
use cluster_types::{Event, Version};
use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::Instant;

/// The longest wait for sessions whose agents take their time to read.
const PATIENCE: Duration = Duration::from_millis(250);
/// The longest rest after that.
const REST_MAX: Duration = Duration::from_millis(100);
/// Events that may wait until a session looks. With more it costs less to begin anew.
const BACKLOG: usize = 20_000;

/// A look at the state.
pub(crate) struct Look {
    pub(crate) view: Arc<View>,
    pub(crate) fabric: Fabric,
    /// The fabric shows every entry up to this one. The view may be a little newer: what it shows more is noted next.
    pub(crate) index: Version,
}

/// See the module.
pub(crate) struct Looks {
    noted: Mutex<Noted>,
    demand: Notify,
    newest: watch::Sender<Option<Arc<Look>>>,
    turns: Arc<RwLock<()>>,
    /// The longest turn since the last look was made, in microseconds.
    longest: Arc<AtomicU64>,
}

/// What the router has noted and no look shows yet.
#[derive(Default)]
struct Noted {
    /// Whether events are missing, so that the next look begins anew.
    anew: bool,
    events: Vec<Event>,
    index: Version,
}

/// A session's use of a look. It ends when this is dropped.
pub(crate) struct Turn {
    pub(crate) look: Arc<Look>,
    begun: Instant,
    longest: Arc<AtomicU64>,
    _guard: OwnedRwLockReadGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.longest.fetch_max(took, Ordering::Relaxed);
    }
}

impl Default for Looks {
    fn default() -> Self {
        let (demand, newest) = (Notify::new(), watch::Sender::new(None));
        Self { noted: Mutex::default(), demand, newest, turns: Arc::default(), longest: Arc::default() }
    }
}

impl Looks {
    /// What happened up to `index` will not be noted: the next look begins anew.
    pub(crate) fn begin(&self, index: Version) {
        *self.noted() = Noted { anew: true, events: Vec::new(), index };
        self.demand.notify_one();
    }

    /// One entry's events.
    pub(crate) fn note(&self, applied: &Applied) {
        let mut noted = self.noted();
        noted.index = noted.index.max(applied.index);
        if noted.events.len() + applied.events.len() > BACKLOG {
            noted.anew = true;
            noted.events.clear();
        }
        if !noted.anew {
            noted.events.extend_from_slice(&applied.events);
        }
    }

    /// The newest entry that was noted.
    pub(crate) fn index(&self) -> Version {
        self.noted().index
    }

    /// Forgets everything: this manager does not lead any more.
    pub(crate) fn end(&self) {
        *self.noted() = Noted::default();
        self.newest.send_replace(None);
    }

    /// A look that shows the entry `needed`, which was noted. Waits while this manager does not lead.
    pub(crate) async fn at_least(&self, needed: Version) -> Turn {
        let is_enough = |look: &Option<Arc<Look>>| look.as_ref().is_some_and(|look| look.index >= needed);
        let mut newest = self.newest.subscribe();
        loop {
            self.demand.notify_one();
            // An error cannot be: the sender is here.
            drop(newest.wait_for(is_enough).await);
            let guard = Arc::clone(&self.turns).read_owned().await;
            // A newer one may have been made meanwhile.
            let look = newest.borrow_and_update().clone();
            if let Some(look) = look.filter(|look| look.index >= needed) {
                return Turn { look, begun: Instant::now(), longest: Arc::clone(&self.longest), _guard: guard };
            }
        }
    }

    /// Makes looks as they are needed, until it is dropped or cannot. Only the leader runs it.
    pub(crate) async fn run(&self, raft: &Raft) {
        loop {
            self.demand.notified().await;
            if !self.has_news() {
                continue;
            }
            let turns = tokio::time::timeout(PATIENCE, self.turns.write()).await;
            let longest = Duration::from_micros(self.longest.swap(0, Ordering::Relaxed));
            tokio::time::sleep(longest.min(REST_MAX)).await;
            if let Err(error) = self.make(raft).await {
                tracing::error!(%error, "network views could not be made");
                return;
            }
            drop(turns);
        }
    }

    /// Whether anything was noted that the newest look does not show.
    fn has_news(&self) -> bool {
        let noted = self.noted();
        let shown = self.newest.borrow().as_ref().map(|look| look.index);
        noted.anew || shown.is_some_and(|index| index < noted.index)
    }

    /// Makes the next look. Beside the executor: it may take milliseconds, and heartbeats must not wait for it.
    async fn make(&self, raft: &Raft) -> Result<(), tokio::task::JoinError> {
        let noted = {
            let mut noted = self.noted();
            let index = noted.index;
            std::mem::replace(&mut *noted, Noted { index, ..Noted::default() })
        };
        // After the events were taken, so that it shows them.
        let view = raft.view();
        // Taken away without a word, so that nobody else uses its fabric and it need not be copied.
        let mut last = None;
        self.newest.send_if_modified(|newest| {
            last = newest.take();
            false
        });
        let last = last.filter(|_| !noted.anew);
        let look = tokio::task::spawn_blocking(move || next(last, view, &noted)).await?;
        self.newest.send_replace(Some(Arc::new(look)));
        Ok(())
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The look that follows the last one; a whole new one when there is none.
fn next(last: Option<Arc<Look>>, view: Arc<View>, noted: &Noted) -> Look {
    let Some(last) = last else {
        return Look { fabric: Fabric::of(&view), index: view.index(), view };
    };
    let index = noted.index.max(last.index);
    let mut fabric = Arc::try_unwrap(last).map_or_else(|shared| shared.fabric.clone(), |last| last.fabric);
    fabric.follow(&view, &noted.events);
    Look { view, fabric, index }
}
