//! The places of a service as its update sees them. Called once a pass with each place; stops the old tasks of places whose new one serves.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{Task, TaskState, Timestamp, UpdateConfig, UpdateStatus, Version, bug};

use super::stale::Staleness;
use crate::draft::Draft;
use crate::slots::Slot;

/// What is found.
pub(super) struct Survey<'a> {
    /// Places with tasks of an older spec only.
    pub(super) stale: Vec<StalePlace<'a>>,
    /// The tasks of places in flight, which do not serve yet: new ones, and those of an update that was overtaken on nodes that are closed.
    pub(super) waiting: Vec<Arc<Task>>,
    /// The new tasks of places that are no longer waited for: they failed, or were given up.
    pub(super) lost: Vec<Arc<Task>>,
    /// First failures of places, not yet counted, in the order of their ends.
    pub(super) failures: Vec<Arc<Task>>,
    /// The log index up to which failures have been looked at.
    pub(super) counted: Version,
    /// How many places have a task of the update.
    pub(super) taken: u64,
    /// When the last monitor period ends, if it has not.
    pub(super) watched_until: Option<Timestamp>,
    /// When a place last got its new task to serve.
    pub(super) progressed: Timestamp,
    config: UpdateConfig,
    base: Version,
    forgiven: Version,
    counted_before: Version,
    given_up: Timestamp,
}

/// A place that waits to be updated.
pub(super) struct StalePlace<'a> {
    pub(super) slot: Slot<'a>,
    /// Whether a new task was tried beside the old one and failed.
    pub(super) has_failed: bool,
}

impl<'a> Survey<'a> {
    pub(super) fn new(status: &UpdateStatus, config: UpdateConfig) -> Self {
        Self {
            stale: Vec::new(),
            waiting: Vec::new(),
            lost: Vec::new(),
            failures: Vec::new(),
            counted: status.counted,
            taken: 0,
            watched_until: None,
            progressed: status.progressed,
            config,
            base: status.base,
            forgiven: status.forgiven,
            counted_before: status.counted,
            given_up: status.given_up,
        }
    }

    pub(super) fn add(&mut self, draft: &mut Draft<'_>, staleness: &mut Staleness, slot: Slot<'a>) {
        let has_failed = self.count_failures(draft, staleness, slot);
        let Some(newest) = slot.wanted().rfind(|task| !staleness.is_stale(draft, task)) else {
            return self.add_stale(draft, slot, has_failed);
        };
        let of_update = newest.spec_version > self.base;
        self.taken += u64::from(of_update);
        let is_done = newest.status.state == TaskState::Complete && !has_failed;
        if newest.status.is_serving() || is_done {
            slot.wanted().filter(|task| task.id != newest.id).for_each(|task| draft.stop(task));
            self.serves(draft.now, newest, of_update, has_failed);
        } else if has_failed {
            self.lost.push(Arc::clone(newest));
        } else if self.is_made_by_update(draft, staleness, (slot, newest)) {
            self.wait_for(newest);
        }
    }

    /// A place with tasks of older specs only. Where its node is closed it cannot be taken on, but may be in flight already: then it keeps the
    /// newest task that serves, or is waited for.
    fn add_stale(&mut self, draft: &mut Draft<'_>, slot: Slot<'a>, has_failed: bool) {
        if slot.is_filled() && takes_successor(draft, slot) {
            self.stale.push(StalePlace { slot, has_failed });
        } else if let Some(serves) = slot.wanted().rfind(|task| task.status.is_serving()) {
            slot.wanted().filter(|task| task.id != serves.id).for_each(|task| draft.stop(task));
        } else if let Some(task) = overtaken(slot).filter(|_| !has_failed) {
            self.wait_for(task);
        }
    }

    fn wait_for(&mut self, task: &Arc<Task>) {
        let is_given_up = task.meta.created < self.given_up;
        if is_given_up { &mut self.lost } else { &mut self.waiting }.push(Arc::clone(task));
    }

    /// Those that do not run come first, those that failed beside their old task last.
    pub(super) fn sort(&mut self) {
        let runs = |slot: Slot<'_>| slot.wanted().any(|task| task.status.state == TaskState::Running);
        self.stale.sort_by_key(|place| (place.has_failed, runs(place.slot), place.slot.place()));
        self.failures.sort_by_key(|task| (task.life.ended_at, task.id));
    }

    /// How many places are still to be reached.
    pub(super) fn open_places(&self) -> u64 {
        u64::try_from(self.stale.len() + self.waiting.len()).unwrap_or(u64::MAX)
    }

    /// A place whose task failed before does not make progress by running for a moment.
    fn serves(&mut self, now: Timestamp, task: &Task, of_update: bool, has_failed: bool) {
        let Some(ran) = task.life.ran.filter(|_| of_update) else { return };
        let until = ran.plus(self.config.monitor);
        if until > now && task.status.state == TaskState::Running {
            self.watched_until = self.watched_until.max(Some(until));
        }
        if !has_failed {
            self.progressed = self.progressed.max(ran);
        }
    }

    /// Takes note of a failure that nobody counted. Whether the place has any that is not forgiven.
    fn count_failures(&mut self, draft: &Draft<'_>, staleness: &mut Staleness, slot: Slot<'_>) -> bool {
        let mut first = true;
        for task in slot.0.iter().filter(|task| task.life.ended_at > self.forgiven && task.spec_version > self.base) {
            if !failed_early(task, self.config.monitor) || staleness.is_stale(draft, task) {
                continue;
            }
            if first && task.life.ended_at > self.counted_before {
                self.failures.push(Arc::clone(task));
            }
            self.counted = self.counted.max(task.life.ended_at);
            first = false;
        }
        !first
    }

    /// Whether the update waits for a task: it took the place of one that a node had, or its place loops through failures since the update
    /// began, which outlasts the history of what was there before. For a place that never had a node, room may never come: it does not hold
    /// up the others. What a node had may be as the update wants it: an update that was overtaken stopped it.
    fn is_made_by_update(&self, draft: &Draft<'_>, staleness: &mut Staleness, (slot, newest): (Slot<'_>, &Task)) -> bool {
        let placed = |task: &Task| task.status.state >= TaskState::Assigned;
        let is_new = newest.spec_version > self.base;
        slot.0.iter().any(|task| placed(task) && (is_new || task.spec_version > self.base || staleness.is_stale(draft, task)))
    }
}

/// Whether a task ended by itself before it had run for the monitor period: also one that could not start, or was done too soon.
fn failed_early(task: &Task, monitor: Duration) -> bool {
    let by_itself = matches!(task.status.state, TaskState::Failed | TaskState::Rejected | TaskState::Complete);
    let Some(ended) = task.life.ended.filter(|_| by_itself) else { return false };
    task.life.ran.is_none_or(|ran| ended.since(ran) < monitor && !bug!(MonitorNotCounted))
}

/// The task of an update that was overtaken, in the place of one that it stopped, if none of its spec has run there yet: the place is down for
/// as long as its node is closed.
fn overtaken<'a>(slot: Slot<'a>) -> Option<&'a Arc<Task>> {
    let newest = slot.wanted().next_back().filter(|task| !task.status.state.is_terminal())?;
    let is_like = |task: &Arc<Task>| task.spec_version == newest.spec_version;
    let (of_update, before): (Vec<&Arc<Task>>, Vec<_>) =
        slot.0.iter().filter(|task| task.life.ran.is_some()).partition(|task| is_like(task));
    let was_stopped = |task: &&Arc<Task>| !task.is_wanted() && task.life.ended.is_none();
    (of_update.is_empty() && before.last().is_some_and(was_stopped)).then_some(newest)
}

/// The node of a global service's task may be away or closed: it is updated when it takes tasks again.
fn takes_successor(draft: &Draft<'_>, slot: Slot<'_>) -> bool {
    slot.place().node.is_none_or(|node| draft.node(node).is_some_and(|node| node.takes_tasks()))
}
