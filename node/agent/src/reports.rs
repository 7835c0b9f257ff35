//! What is still to be told to the managers: for each task the newest status only, until it is in their log.
//!
//! The worker puts statuses in; the session takes batches out, and hears how many of them were committed. Whatever a broken session left
//! unconfirmed is told again in the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_types::{TaskId, TaskState, TaskStatus};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Longest text of a status on the wire, in bytes: 200 of them stay below the largest message.
const LONGEST_TEXT: usize = 1024;
/// Texts in one batch, in bytes: what probes and failed containers printed is longer.
const BATCH_TEXT: usize = 512 * 1024;

/// After a message, news waits this long for more, so that what happens together travels together. After a rest it goes at once.
const GATHER: Duration = Duration::from_millis(5);
/// A state that a task is only passing through waits this long: mostly the next one has replaced it by then, and the managers' log is spared.
const PASSING: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(crate) struct Reports {
    inner: Mutex<Inner>,
    changed: Notify,
    /// Running tasks whose status is in the managers' log: what a benchmark counts.
    running_committed: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<TaskId, TaskStatus>,
    /// When something that waits should be sent.
    due: Option<Instant>,
    /// When something was last sent.
    taken: Option<Instant>,
    /// Sent in this session and not yet confirmed, oldest first.
    sent: VecDeque<(TaskId, TaskStatus)>,
    /// How many of the session's statuses are confirmed.
    committed: u64,
}

impl Reports {
    /// A task's newest status.
    pub(crate) fn put(&self, task: TaskId, status: &TaskStatus) {
        let mut status = status.clone();
        clip(&mut status.message);
        status.error.as_mut().map(clip);
        let mut inner = self.lock();
        let due = if is_passing(status.state) { Instant::now() + PASSING } else { inner.soon() };
        inner.hurry(due);
        inner.waiting.insert(task, status);
        drop(inner);
        self.changed.notify_one();
    }

    /// Nobody asks for the task any more.
    pub(crate) fn forget(&self, task: TaskId) {
        self.lock().waiting.remove(&task);
    }

    /// Waits until something should be sent.
    pub(crate) async fn ready(&self) {
        loop {
            let due = self.lock().due;
            let Some(due) = due else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(due) => return,
                () = self.changed.notified() => {}
            }
        }
    }

    /// Up to `most` statuses to send now.
    pub(crate) fn take(&self, most: usize) -> Vec<(TaskId, TaskStatus)> {
        let mut inner = self.lock();
        let (mut batch, mut text) = (Vec::new(), 0);
        while batch.len() < most
            && text < BATCH_TEXT
            && let Some(next) = inner.waiting.pop_first()
        {
            text += text_of(&next.1);
            batch.push(next);
        }
        inner.taken = Some(Instant::now());
        inner.sent.extend(batch.iter().cloned());
        if inner.waiting.is_empty() {
            inner.due = None;
        }
        batch
    }

    /// The first `count` statuses of this session are in the managers' log.
    pub(crate) fn committed(&self, count: u64) {
        let mut inner = self.lock();
        while inner.committed < count
            && let Some((_, status)) = inner.sent.pop_front()
        {
            inner.committed += 1;
            if status.state == TaskState::Running {
                self.running_committed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A new session begins: what the last one left unconfirmed is to be sent again, unless there is something newer.
    pub(crate) fn restart(&self) {
        let mut inner = self.lock();
        inner.committed = 0;
        // Newest first, so that of two unconfirmed statuses of a task the newer one stays.
        while let Some((task, status)) = inner.sent.pop_back() {
            inner.waiting.entry(task).or_insert(status);
            let due = inner.soon();
            inner.hurry(due);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Running tasks that the managers have recorded as such, ever.
    pub(crate) fn running_committed(&self) -> u64 {
        self.running_committed.load(Ordering::Relaxed)
    }

    /// Whether everything was confirmed.
    pub(crate) fn is_settled(&self) -> bool {
        let inner = self.lock();
        inner.waiting.is_empty() && inner.sent.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hurry(&mut self, latest: Instant) {
        self.due = Some(self.due.map_or(latest, |due| due.min(latest)));
    }

    /// The next moment at which news may go: now, unless something has just gone.
    fn soon(&self) -> Instant {
        let now = Instant::now();
        self.taken.map_or(now, |taken| now.max(taken + GATHER))
    }
}

/// Whether a task in this state goes on by itself, and nobody waits for it to be there.
fn is_passing(state: TaskState) -> bool {
    matches!(state, TaskState::Assigned | TaskState::Accepted | TaskState::Preparing | TaskState::Starting)
}

/// Bytes of a status's texts.
fn text_of(status: &TaskStatus) -> usize {
    let health = status.health.as_ref().map_or(0, |health| health.output.len());
    let others = [&status.error, &status.output].into_iter().flatten().map(String::len).sum::<usize>();
    status.message.len() + health + others
}

fn clip(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: TaskState) -> TaskStatus {
        TaskStatus { state, ..TaskStatus::default() }
    }

    fn states(batch: &[(TaskId, TaskStatus)]) -> Vec<(u128, TaskState)> {
        batch.iter().map(|(task, status)| (task.bits(), status.state)).collect()
    }

    #[test]
    fn the_newest_status_wins_and_unconfirmed_ones_are_sent_again() {
        let reports = Reports::default();
        let (first, second) = (TaskId::from_bits(1), TaskId::from_bits(2));
        reports.put(first, &status(TaskState::Preparing));
        reports.put(first, &status(TaskState::Starting));
        reports.put(second, &status(TaskState::Running));
        assert_eq!(states(&reports.take(9)), [(1, TaskState::Starting), (2, TaskState::Running)]);
        reports.put(first, &status(TaskState::Running));
        assert_eq!(states(&reports.take(9)), [(1, TaskState::Running)]);
        // The first of three is confirmed, then the session breaks.
        reports.committed(1);
        reports.restart();
        assert_eq!(states(&reports.take(9)), [(1, TaskState::Running), (2, TaskState::Running)]);
        reports.committed(2);
        assert!(reports.is_settled() && reports.running_committed() == 2);
    }

    #[test]
    fn a_restart_never_brings_an_older_status_back() {
        let reports = Reports::default();
        let task = TaskId::from_bits(1);
        for state in [TaskState::Starting, TaskState::Running] {
            reports.put(task, &status(state));
            reports.take(1);
        }
        reports.put(task, &status(TaskState::Failed));
        reports.restart();
        assert_eq!(states(&reports.take(9)), [(1, TaskState::Failed)]);
    }

    #[test]
    fn news_goes_at_once_after_a_rest_and_waits_for_more_after_a_message() {
        let reports = Reports::default();
        reports.put(TaskId::from_bits(1), &status(TaskState::Running));
        assert!(reports.lock().due.unwrap() <= Instant::now(), "nothing was sent before it");
        let before = Instant::now();
        assert_eq!(reports.take(9).len(), 1);
        reports.put(TaskId::from_bits(2), &status(TaskState::Running));
        reports.put(TaskId::from_bits(3), &status(TaskState::Failed));
        assert!(reports.lock().due.unwrap() >= before + GATHER, "both go together");
        assert_eq!(reports.take(9).len(), 2);
        assert_eq!(reports.lock().due, None);
    }

    #[test]
    fn a_lying_manager_confirms_nothing_that_was_not_sent() {
        let reports = Reports::default();
        reports.committed(u64::MAX);
        reports.put(TaskId::from_bits(1), &status(TaskState::Running));
        assert_eq!(reports.take(9).len(), 1);
        assert!(!reports.is_settled());
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let reports = Reports::default();
        reports.put(TaskId::from_bits(1), &TaskStatus { error: Some("ü".repeat(2000)), ..status(TaskState::Failed) });
        assert_eq!(reports.take(1)[0].1.error.as_ref().unwrap().len(), LONGEST_TEXT);
    }
}
