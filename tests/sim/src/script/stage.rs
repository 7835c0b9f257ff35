//! The cluster of a script. Managers and agents take turns, a second each time; what is new is told.

use std::sync::Arc;
use std::time::Duration;

use cluster_decide::liveness::Presence;
use cluster_decide::{Dirty, pass};
use cluster_state::{State, View};
use cluster_types::{
    Change, Entry, EntryMode, Meta, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec, NodeState, NodeStatus, Object, Rejection,
    RequestId, Reservation, Service, Timestamp,
};

use super::agents;
use super::command::Options;
use super::picture::Picture;

/// A midnight, so that schedules are easy to follow.
const START: Timestamp = Timestamp(1_767_225_600_000);
/// How long a turn takes.
const TURN: Duration = Duration::from_secs(1);
/// Timers further away are none to a script: a node's heartbeat, and that the tasks of a lost node are orphaned after a day.
const HORIZON: Duration = Duration::from_secs(60 * 60);
/// More turns than it takes to settle.
const TURNS: u64 = 2_000;

/// See the module.
pub(super) struct Stage {
    state: State,
    pub(super) now: Timestamp,
    dirty: Dirty,
    /// When the last pass wants another one.
    wake_at: Option<Timestamp>,
    /// What the reader knows.
    told: Picture,
}

impl Stage {
    /// A cluster without nodes.
    pub(super) fn new() -> Self {
        Self { state: State::new(), now: START, dirty: Dirty::all(), wake_at: None, told: Picture::default() }
    }

    pub(super) fn view(&self) -> View {
        self.state.view()
    }

    pub(super) fn service(&self, name: &str) -> Result<Arc<Service>, String> {
        self.view().service_by_name(name).cloned().ok_or_else(|| format!("there is no service `{name}`"))
    }

    pub(super) fn node(&self, name: &str) -> Result<Arc<Node>, String> {
        self.view().nodes_by_hostname(name).next().cloned().ok_or_else(|| format!("there is no node `{name}`"))
    }

    /// One entry with all changes, or none of them and the reason.
    pub(super) fn propose(&mut self, changes: Vec<Change>, mode: EntryMode) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        let index = self.state.index().0 + 1;
        let entry = Entry { request: RequestId::from_bits(u128::from(index)), at: self.now, mode, changes };
        let applied = self.state.apply(index, &entry);
        applied.events.iter().for_each(|event| self.dirty.note(event));
        applied.outcomes.into_iter().collect::<Result<(), Rejection>>().map_err(|rejection| match rejection {
            Rejection::Refused { reason, .. } => reason,
            rejection => rejection.to_string(),
        })
    }

    /// What the reader does not know yet.
    pub(super) fn news(&mut self) -> Vec<String> {
        let picture = Picture::of(&self.view());
        let news = picture.since(&self.told).cloned().collect();
        self.told = picture;
        news
    }

    /// Nodes with 4 CPUs and 8 GiB join.
    pub(super) fn join(&mut self, count: usize, labels: &Options) -> Result<(), String> {
        let first = self.view().node_count() + 1;
        let nodes = (0..count).map(|place| {
            let label = |values: &str| values.split(',').cycle().nth(place).unwrap_or_default().to_owned();
            let labels = labels.iter().map(|(key, values)| (key.clone(), label(values))).collect();
            let node = node(first + place, NodeSpec { labels, ..NodeSpec::default() }, self.now);
            Change::Create(Object::Node(Arc::new(node)))
        });
        self.propose(nodes.collect(), EntryMode::Atomic)?;
        self.news();
        Ok(())
    }

    /// So many turns.
    pub(super) fn tick(&mut self, turns: u64) -> Result<Vec<String>, String> {
        let (began, mut story) = (self.now, Vec::new());
        for _ in 0..turns {
            self.turn(began, &mut story)?;
            self.now = self.now.plus(TURN);
        }
        Ok(story)
    }

    /// Turns and jumps to the next timer, until nothing moves.
    pub(super) fn settle(&mut self) -> Result<Vec<String>, String> {
        let (began, mut story) = (self.now, Vec::new());
        for _ in 0..TURNS {
            let is_quiet = self.turn(began, &mut story)?;
            match self.timer() {
                _ if !is_quiet => self.now = self.now.plus(TURN),
                Some(at) => self.now = at,
                None => return Ok(story),
            }
        }
        Err("it does not settle: `wait` for a time".to_owned())
    }

    /// So much time.
    pub(super) fn wait(&mut self, time: Duration) -> Result<Vec<String>, String> {
        let (began, end, mut story) = (self.now, self.now.plus(time), Vec::new());
        while self.now < end {
            let is_quiet = self.turn(began, &mut story)?;
            let next = if is_quiet { self.timer().unwrap_or(end) } else { self.now.plus(TURN) };
            self.now = next.min(end);
        }
        Ok(story)
    }

    fn timer(&self) -> Option<Timestamp> {
        self.wake_at.filter(|at| at.since(self.now) < HORIZON)
    }

    /// A pass, and one step of each agent. Whether nothing moved.
    fn turn(&mut self, began: Timestamp, story: &mut Vec<String>) -> Result<bool, String> {
        let view = self.view();
        let sessions = view.nodes().filter(|node| node.status.state == NodeState::Ready).map(|node| (node.id, self.now)).collect();
        let presence = Presence { leader_since: self.now, sessions, grace: 2 * HORIZON };
        let plan = pass(&view, self.now, 0, &self.dirty, &presence);
        (self.dirty, self.wake_at) = (plan.carry, plan.wake_at);
        let decided = plan.changes.len();
        self.propose(plan.changes, EntryMode::Each)?;
        let reports = agents::reports(&self.view(), self.now);
        let is_quiet = decided + reports.len() == 0;
        self.propose(reports, EntryMode::Each)?;
        let time = clock(self.now.since(began));
        story.extend(self.news().into_iter().map(|line| format!("{time:>4}  {line}")));
        Ok(is_quiet)
    }
}

/// Such as `7s` or `10m07s`.
fn clock(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds:02}s"),
    }
}

/// A ready worker.
fn node(number: usize, spec: NodeSpec, now: Timestamp) -> Node {
    Node {
        meta: Meta::default(),
        id: NodeId::from_bits(number as u128),
        spec,
        description: NodeDescription {
            hostname: format!("n{number}"),
            capacity: Reservation { nano_cpus: 4_000_000_000, memory: 8 << 30 },
            ..NodeDescription::default()
        },
        status: NodeStatus { state: NodeState::Ready, since: now, ..NodeStatus::default() },
        manager: None,
        number: None,
        network: NodeNetwork::default(),
    }
}
