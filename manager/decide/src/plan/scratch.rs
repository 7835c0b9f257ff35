//! A copy of the state on which a change runs its course, with nodes that do at once what they are told. Counts what becomes of the tasks
//! of one service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster_state::{State, View};
use cluster_types::{
    Change, DesiredState, Entry, EntryMode, Event, EventKind, NodeId, NodeState, Object, Rejection, RequestId, ServiceId, Task, TaskId,
    TaskState, TaskStep, Timestamp, UpdateState,
};

use crate::liveness::Presence;
use crate::{Dirty, pass};

/// Passes after which a change that does not come to rest is left.
const ROUNDS: usize = 1_000;
/// How long nodes may be silent: longer than any preview lasts, so that none is lost in it.
const GRACE: Duration = Duration::from_secs(2 * 366 * 24 * 60 * 60);
/// Wakes further away than any delay of a spec are not waited for.
const HORIZON: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// What a round takes.
const TICK: Duration = Duration::from_millis(1);
/// Only jitter depends on it.
const SEED: u64 = 0;

/// The copy and what was counted.
pub(super) struct Scratch {
    state: State,
    now: Timestamp,
    service: ServiceId,
    dirty: Dirty,
    /// Tasks of the service that changed since the nodes looked at them.
    moving: BTreeSet<TaskId>,
    /// Tasks that were there from the beginning and are still wanted.
    old: BTreeMap<TaskId, NodeId>,
    pub(super) starts: BTreeMap<NodeId, u64>,
    pub(super) stops: BTreeMap<NodeId, u64>,
}

impl Scratch {
    pub(super) fn new(view: &View, now: Timestamp, service: ServiceId) -> Self {
        let live = view.tasks_of_service(service).filter(|task| task.is_wanted() && task.holds_resources());
        Self {
            state: view.fork(),
            now,
            service,
            dirty: Dirty::default(),
            moving: view.tasks_of_service(service).map(|task| task.id).collect(),
            old: live.filter_map(|task| Some((task.id, task.node?))).collect(),
            starts: BTreeMap::new(),
            stops: BTreeMap::new(),
        }
    }

    /// What the user does.
    pub(super) fn wish(&mut self, change: Change) -> Result<(), Rejection> {
        self.apply(vec![change]).into_iter().collect()
    }

    /// Passes and nodes take turns until nothing moves. Whether that came.
    pub(super) fn settle(&mut self) -> bool {
        for _ in 0..ROUNDS {
            let view = self.state.view();
            let plan = pass(&view, self.now, SEED, &self.dirty, &self.presence(&view));
            self.dirty = plan.carry;
            let decided = !plan.changes.is_empty();
            self.apply(plan.changes);
            if self.nodes_act() || decided {
                self.now = self.now.plus(TICK);
                continue;
            }
            match plan.wake_at.filter(|at| at.since(self.now) < HORIZON && self.is_under_way()) {
                Some(at) => self.now = at.max(self.now.plus(TICK)),
                None => return true,
            }
        }
        false
    }

    /// Whether time alone brings more: an update goes on, and no task waits for room, which would hold it up until it is given up.
    fn is_under_way(&self) -> bool {
        let view = self.state.view();
        let update = view.service(self.service).and_then(|service| service.update.as_ref());
        let goes_on = update.is_some_and(|update| matches!(update.state, UpdateState::Updating | UpdateState::RollbackStarted));
        let waits = |task: &Arc<Task>| is_waiting(task) && task.status.error.is_some();
        goes_on && !view.tasks_of_service(self.service).any(waits)
    }

    fn presence(&self, view: &View) -> Presence {
        let ready = view.nodes().filter(|node| node.status.state == NodeState::Ready);
        Presence { leader_since: self.now, sessions: ready.map(|node| (node.id, self.now)).collect(), grace: GRACE }
    }

    fn apply(&mut self, changes: Vec<Change>) -> Vec<Result<(), Rejection>> {
        if changes.is_empty() {
            return Vec::new();
        }
        let index = self.state.index().0 + 1;
        let entry = Entry { request: RequestId::from_bits(u128::from(index)), at: self.now, mode: EntryMode::Each, changes };
        let applied = self.state.apply(index, &entry);
        for event in &applied.events {
            self.dirty.note(event);
            self.count(event);
        }
        applied.outcomes
    }

    fn count(&mut self, event: &Event) {
        let Object::Task(task) = &event.object else { return };
        if task.service != self.service {
            return;
        }
        self.moving.insert(task.id);
        let before = match &event.before {
            Some(Object::Task(before)) => before.status.state,
            Some(_) | None => TaskState::New,
        };
        if let Some(node) = task.node.filter(|_| before < TaskState::Assigned && task.status.state >= TaskState::Assigned) {
            *self.starts.entry(node).or_default() += 1;
        }
        let ends = !task.is_wanted() || event.kind == EventKind::Removed;
        if let Some(node) = ends.then(|| self.old.remove(&task.id)).flatten() {
            *self.stops.entry(node).or_default() += 1;
        }
    }

    /// Every ready node does what is wanted of the tasks that changed. Whether there was anything to do.
    fn nodes_act(&mut self) -> bool {
        let view = self.state.view();
        let is_job = view.service(self.service).is_some_and(|service| service.spec.mode.is_job());
        let moving = std::mem::take(&mut self.moving);
        let reports: Vec<Change> = moving.iter().filter_map(|id| report(&view, view.task(*id)?, is_job, self.now)).collect();
        let acted = !reports.is_empty();
        self.apply(reports);
        acted
    }

    /// The update to the new spec, as far as it got.
    pub(super) fn update(&self) -> Option<UpdateState> {
        let view = self.state.view();
        let service = view.service(self.service)?;
        service.update.as_ref().filter(|update| update.target == service.spec_version).map(|update| update.state)
    }

    /// Tasks that were there and stay.
    pub(super) fn kept(&self) -> u64 {
        self.old.len() as u64
    }

    /// How many tasks wait, by the reason.
    pub(super) fn waits(&self) -> BTreeMap<String, u64> {
        let mut waits = BTreeMap::new();
        let view = self.state.view();
        for task in view.tasks_of_service(self.service).filter(|task| is_waiting(task)) {
            let reason = task.status.error.clone().unwrap_or_else(|| "waits for its turn".to_owned());
            *waits.entry(reason).or_default() += 1;
        }
        waits
    }
}

fn is_waiting(task: &Task) -> bool {
    task.is_wanted() && task.status.state < TaskState::Assigned
}

/// The next state of a task on a node that succeeds in all it does.
fn report(view: &View, task: &Task, is_job: bool, now: Timestamp) -> Option<Change> {
    let node = view.node(task.node?).filter(|node| node.status.state == NodeState::Ready)?;
    let state = task.status.state;
    if state < TaskState::Assigned || state.is_terminal() {
        return None;
    }
    let next = match task.desired {
        DesiredState::Shutdown | DesiredState::Remove => TaskState::Shutdown,
        DesiredState::Running if state < TaskState::Running => TaskState::Running,
        DesiredState::Running if is_job => TaskState::Complete,
        DesiredState::Ready if state < TaskState::Ready => TaskState::Ready,
        DesiredState::Running | DesiredState::Ready => return None,
    };
    Some(Change::Task(task.id, TaskStep::report(node.id, next, now, "", None)))
}
