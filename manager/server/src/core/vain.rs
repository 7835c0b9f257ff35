//! Remembers that somebody has just waited for a leader or a majority in vain, so that the next request of the same command does not wait
//! as long again: without a quorum a command of several requests still ends within about 2 s (failures A14).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cluster_raft::Leadership;

use super::Core;

/// For how long a wait counts. After that somebody waits in full again.
const COUNTS: Duration = Duration::from_secs(3);
/// How long a request waits when one before it has waited already.
const BRIEF: Duration = Duration::from_millis(100);

/// The last wait that was in vain, and who led then.
#[derive(Default)]
pub(super) struct Vain(Mutex<Option<(Leadership, Instant)>>);

impl Core {
    /// Somebody waited in vain.
    pub(crate) fn waited_in_vain(&self) {
        let now = (*self.raft.leadership().borrow(), Instant::now());
        *self.vain.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// A majority has answered.
    pub(super) fn not_in_vain(&self) {
        *self.vain.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How long to wait: `full`, or briefly when somebody has just waited and nobody else leads since.
    pub(crate) fn patience(&self, full: Duration) -> Duration {
        let vain = *self.vain.0.lock().unwrap_or_else(PoisonError::into_inner);
        let leadership = *self.raft.leadership().borrow();
        match vain {
            Some((then, at)) if then == leadership && at.elapsed() < COUNTS => BRIEF,
            Some(_) | None => full,
        }
    }
}
