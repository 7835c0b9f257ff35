//! Which nodes are there: from what the leader heard to the states that are replicated.
//!
//! A node that is silent for the grace is down, and its tasks are replaced (by enforce). Each leader counts the grace anew from the moment
//! it took over, so a change of leader alone takes no node down. After a day its tasks are orphaned: nobody waits for them any more,
//! unless their service says to (`on_node_lost`). It stops nothing and never writes `Ready`: the dispatcher does, when a session opens and whenever a node that has one is called otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_state::View;
use cluster_types::{Change, Node, NodeId, NodeState, NodeStatus, NodeStep, Task, TaskStep, Timestamp};

use crate::ascending::Ascending;
use crate::draft::Draft;
use crate::enforce;

/// Shortest time between two heartbeats of a node.
const PERIOD_MIN: Duration = Duration::from_millis(500);
/// Most heartbeats that the leader is to see in a second.
const HEARTBEATS_PER_SECOND: u64 = 1_000;
/// Shortest time after which a silent node is down.
const GRACE_MIN: Duration = Duration::from_secs(3);
/// Heartbeats in a row that may get lost.
const GRACE_PERIODS: u32 = 4;
/// The tasks of a node that is down for so long are given up (swarm: 24 h).
const ORPHAN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What the leader knows of the nodes' sessions. Only in its memory: heartbeats never enter the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// When this manager became the leader, by its clock.
    pub leader_since: Timestamp,
    /// When each node was last heard by this leader. The entry may stay when the session breaks: the grace runs from there. Without an
    /// entry it runs from the moment that the node was marked as disconnected.
    pub sessions: BTreeMap<NodeId, Timestamp>,
    /// After how much silence a node is down; see [`grace`].
    pub grace: Duration,
}

/// How often each of `nodes` nodes sends a heartbeat: every 500 ms in a small cluster, as rarely as the leader can bear in a large one.
#[must_use]
pub fn heartbeat_period(nodes: usize) -> Duration {
    let millis = u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(1_000) / HEARTBEATS_PER_SECOND;
    PERIOD_MIN.max(Duration::from_millis(millis))
}

/// After how much silence one of `nodes` nodes is down: 3 s in a small cluster, never less than 4 heartbeats.
#[must_use]
pub fn grace(nodes: usize) -> Duration {
    GRACE_MIN.max(heartbeat_period(nodes).saturating_mul(GRACE_PERIODS))
}

/// The step of a pass: what it finds is seen by the steps after it.
pub(crate) fn step(draft: &mut Draft<'_>, presence: &Presence) {
    let (changes, wake_at) = liveness(draft.view, presence, draft.now);
    changes.into_iter().for_each(|change| draft.push(change));
    if let Some(at) = wake_at {
        draft.wake_any(at);
    }
}

/// What is to be written about nodes now, and when to look again though nothing is heard.
#[must_use]
pub fn liveness(view: &View, presence: &Presence, now: Timestamp) -> (Vec<Change>, Option<Timestamp>) {
    let mut changes = Vec::new();
    let mut wake_at = None;
    let mut sessions = Ascending::new(presence.sessions.iter().map(|(node, heard)| (*node, *heard)));
    for node in view.nodes() {
        match judge(node, sessions.get(&node.id), presence, now) {
            Verdict::Rests => {}
            Verdict::WaitUntil(at) => sooner(&mut wake_at, at),
            Verdict::Becomes(state, message, since) => changes.push(becomes(node, state, message, since)),
        }
        if let Some(at) = lost_for_good(node).filter(|_| live_tasks(view, node.id).next().is_some()) {
            if at <= now { orphan(view, node.id, &mut changes, |task| is_awaited(view, node, task, now)) } else { sooner(&mut wake_at, at) }
        }
    }
    let mut there = Ascending::new(view.nodes().map(|node| (node.id, ())));
    for gone in view.nodes_of_tasks().filter(|id| there.get(id).is_none()) {
        orphan(view, gone, &mut changes, |_| false);
    }
    (changes, wake_at)
}

/// What becomes of a node.
enum Verdict {
    Rests,
    WaitUntil(Timestamp),
    /// A state, why, and since when.
    Becomes(NodeState, &'static str, Timestamp),
}

fn judge(node: &Node, heard: Option<Timestamp>, presence: &Presence, now: Timestamp) -> Verdict {
    let lead = presence.leader_since;
    // A stamp of a leader whose clock was ahead says nothing.
    let past = |at: Timestamp| if at <= now { at } else { Timestamp::default() };
    let since = past(node.status.since).max(past(node.meta.created));
    let down = |words| move || Verdict::Becomes(NodeState::Down, words, now);
    match (node.status.state, heard) {
        (NodeState::Down, _) => Verdict::Rests,
        (_, Some(heard)) => unless_before(lead.max(heard).plus(presence.grace), now, down("was not heard within the grace")),
        (NodeState::Ready, None) => unless_before(lead.plus(presence.grace / 2), now, || {
            // Either it has not come to this leader, which began to wait when it took over; or its session broke just now.
            let never_came = since <= lead && now < lead.plus(presence.grace);
            Verdict::Becomes(NodeState::Disconnected, "has no session", if never_came { lead } else { now })
        }),
        (NodeState::Disconnected | NodeState::Unknown, None) => {
            unless_before(lead.max(since).plus(presence.grace), now, down("did not come back within the grace"))
        }
    }
}

fn unless_before(at: Timestamp, now: Timestamp, then: impl FnOnce() -> Verdict) -> Verdict {
    if at <= now { then() } else { Verdict::WaitUntil(at) }
}

fn becomes(node: &Node, state: NodeState, message: &str, since: Timestamp) -> Change {
    let status = NodeStatus { state, message: message.to_owned(), address: node.status.address.clone(), since };
    Change::Node(node.id, NodeStep::Status(status))
}

/// When the tasks of a node are given up, if it is down.
fn lost_for_good(node: &Node) -> Option<Timestamp> {
    (node.status.state == NodeState::Down).then(|| node.status.since.plus(ORPHAN_AFTER))
}

/// Whether a task on a node that is down is still to be there when the node comes back.
fn is_awaited(view: &View, node: &Node, task: &Task, now: Timestamp) -> bool {
    let policy = view.service(task.service).map(|service| service.spec.task.on_node_lost);
    let given_up = policy.map(|policy| enforce::given_up_at(policy, node.status.since));
    task.is_wanted() && given_up.is_some_and(|at| at.is_none_or(|at| at > now))
}

fn live_tasks(view: &View, node: NodeId) -> impl Iterator<Item = &Arc<Task>> {
    view.tasks_on_node(node).filter(|task| !task.status.state.is_terminal())
}

fn orphan(view: &View, node: NodeId, changes: &mut Vec<Change>, stays: impl Fn(&Task) -> bool) {
    let lost = live_tasks(view, node).filter(|task| !stays(task));
    changes.extend(lost.map(|task| Change::Task(task.id, TaskStep::Orphan)));
}

fn sooner(wake_at: &mut Option<Timestamp>, at: Timestamp) {
    *wake_at = Some(wake_at.map_or(at, |set: Timestamp| set.min(at)));
}

#[cfg(test)]
mod tests;
