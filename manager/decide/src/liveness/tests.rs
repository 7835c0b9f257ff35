//! Tests of liveness: single judgements by example, convergence over random histories.

use cluster_state::State;
use cluster_types::{DesiredState, Entry, EntryMode, ObjectKey, RequestId, TaskState};
use proptest::prelude::*;

use super::*;
use crate::samples::{WEB, add_node, add_service, add_task, apply, node_id, spec, task_id};

const GRACE: Duration = Duration::from_secs(3);

fn presence(leader_since: u64, heard: impl IntoIterator<Item = (u64, u64)>) -> Presence {
    let sessions = heard.into_iter().map(|(node, at)| (node_id(node), Timestamp(at))).collect();
    Presence { leader_since: Timestamp(leader_since), sessions, grace: GRACE }
}

/// One node in a state since a time; what becomes of it and when to look again.
fn one(state: NodeState, since: u64, presence: &Presence, now: u64) -> (Option<NodeState>, Option<u64>) {
    let mut cluster = State::new();
    add_node(&mut cluster, 1, state, since);
    let (changes, wake_at) = liveness(&cluster.view(), presence, Timestamp(now));
    let becomes = changes.first().map(|change| match change {
        Change::Node(_, NodeStep::Status(status)) => status.state,
        other => panic!("{other:?}"),
    });
    (becomes, wake_at.map(|at| at.0))
}

#[test]
fn a_node_that_is_heard_stays_and_is_looked_at_when_its_grace_ends() {
    assert_eq!(one(NodeState::Ready, 5_000, &presence(1_000, [(1, 9_000)]), 9_500), (None, Some(12_000)));
}

#[test]
fn a_silent_node_is_down_after_the_grace_even_though_its_stream_is_open() {
    assert_eq!(one(NodeState::Ready, 5_000, &presence(1_000, [(1, 9_000)]), 12_000), (Some(NodeState::Down), None));
}

#[test]
fn a_new_leader_gives_every_node_a_whole_grace() {
    for state in [NodeState::Disconnected, NodeState::Unknown] {
        assert_eq!(one(state, 5_000, &presence(90_000, []), 92_999), (None, Some(93_000)));
        assert_eq!(one(state, 5_000, &presence(90_000, []), 93_000), (Some(NodeState::Down), None));
    }
    assert_eq!(one(NodeState::Ready, 5_000, &presence(90_000, [(1, 89_000)]), 92_999), (None, Some(93_000)));
}

/// What becomes of a ready node without a session, and since when.
fn without_session(since: u64, leader_since: u64, now: u64) -> Option<(NodeState, u64)> {
    let mut cluster = State::new();
    add_node(&mut cluster, 1, NodeState::Ready, since);
    match liveness(&cluster.view(), &presence(leader_since, []), Timestamp(now)).0.as_slice() {
        [Change::Node(_, NodeStep::Status(status))] => Some((status.state, status.since.0)),
        changes => {
            assert_eq!(changes, []);
            None
        }
    }
}

#[test]
fn a_node_that_does_not_come_to_a_new_leader_is_disconnected_since_the_leader_began_to_wait() {
    assert_eq!(without_session(5_000, 90_000, 91_499), None);
    assert_eq!(without_session(5_000, 90_000, 91_500), Some((NodeState::Disconnected, 90_000)));
}

#[test]
fn a_node_whose_session_broke_has_the_grace_from_when_it_was_last_heard() {
    assert_eq!(one(NodeState::Disconnected, 9_100, &presence(1_000, [(1, 9_000)]), 11_999), (None, Some(12_000)));
    assert_eq!(one(NodeState::Disconnected, 9_100, &presence(1_000, [(1, 9_000)]), 12_000), (Some(NodeState::Down), None));
    // Where the entry was dropped with the session, from when it broke.
    assert_eq!(one(NodeState::Disconnected, 9_100, &presence(1_000, []), 12_000), (None, Some(12_100)));
}

#[test]
fn a_ready_node_whose_session_is_just_gone_has_the_grace_before_it() {
    assert_eq!(without_session(5_000, 1_000, 60_000), Some((NodeState::Disconnected, 60_000)));
    assert_eq!(without_session(500, 1_000, 60_000), Some((NodeState::Disconnected, 60_000)), "it was ready before this leader led");
}

#[test]
fn a_stamp_from_a_clock_that_was_ahead_delays_nothing() {
    assert_eq!(one(NodeState::Disconnected, 900_000, &presence(1_000, []), 4_000), (Some(NodeState::Down), None));
}

#[test]
fn tasks_of_a_lost_node_are_given_up_after_a_day() {
    let mut state = State::new();
    add_node(&mut state, 1, NodeState::Ready, 0);
    add_service(&mut state, spec());
    add_task(&mut state, 10, 1, Some(1), TaskState::Running, DesiredState::Shutdown);
    add_task(&mut state, 11, 1, Some(1), TaskState::Failed, DesiredState::Shutdown);
    let down = NodeStatus { state: NodeState::Down, since: Timestamp(500), ..NodeStatus::default() };
    apply(&mut state, 500, [Change::Node(node_id(1), NodeStep::Status(down))]);
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(liveness(&state.view(), &presence(400, []), Timestamp(600)), (vec![], Some(Timestamp(day + 500))));
    let orphan = vec![Change::Task(task_id(10), TaskStep::Orphan)];
    assert_eq!(liveness(&state.view(), &presence(400, []), Timestamp(day + 500)), (orphan, None));
}

#[test]
fn tasks_of_a_removed_node_are_given_up_at_once() {
    let mut state = State::new();
    add_node(&mut state, 1, NodeState::Down, 0);
    add_service(&mut state, spec());
    add_task(&mut state, 10, 1, Some(1), TaskState::Running, DesiredState::Running);
    apply(&mut state, 500, [Change::Remove { key: ObjectKey::Node(node_id(1)), expect: None }]);
    assert_eq!(liveness(&state.view(), &presence(400, []), Timestamp(600)).0, [Change::Task(task_id(10), TaskStep::Orphan)]);
    assert_eq!(state.view().tasks_of_service(WEB).count(), 1);
}

#[test]
fn the_leader_sees_a_bounded_rate_and_no_node_is_down_for_one_lost_heartbeat() {
    assert_eq!((heartbeat_period(5), grace(5)), (Duration::from_millis(500), GRACE));
    for nodes in [0, 1, 100, 499, 500, 501, 1_000, 5_000, 100_000, 1_000_000] {
        let (period, grace) = (heartbeat_period(nodes), grace(nodes));
        assert!(nodes as f64 / period.as_secs_f64() <= 1_000.5, "{nodes} nodes every {period:?}");
        assert!(grace >= period.saturating_mul(4));
    }
}

fn any_node() -> impl Strategy<Value = (NodeState, u64, Option<u64>)> {
    let states = vec![NodeState::Unknown, NodeState::Ready, NodeState::Disconnected, NodeState::Down];
    (proptest::sample::select(states), 0..20_000_u64, proptest::option::of(0..20_000_u64))
}

proptest! {
    /// From any state: a node that was heard within the grace is never called down, a silent one is down in the end, and each step is taken once.
    #[test]
    fn silence_alone_takes_a_node_down(nodes in prop::collection::vec(any_node(), 0..6), leader_since in 0..20_000_u64, start in 0..30_000_u64) {
        let mut state = State::new();
        let mut heard = Vec::new();
        for (number, (status, since, last)) in (1..).zip(&nodes) {
            add_node(&mut state, number, *status, *since);
            heard.extend(last.map(|last| (number, last.min(start))));
        }
        let presence = presence(leader_since.min(start), heard);
        let mut now = Timestamp(start);
        for round in 0.. {
            prop_assert!(round < 40, "it never settles");
            let (changes, wake_at) = liveness(&state.view(), &presence, now);
            for change in &changes {
                let Change::Node(id, NodeStep::Status(status)) = change else { panic!("{change:?}") };
                let quiet = now.since(presence.sessions.get(id).copied().unwrap_or_default().max(presence.leader_since));
                prop_assert!(status.state != NodeState::Down || quiet >= GRACE);
            }
            let index = state.index().0 + 1;
            let entry = Entry { request: RequestId::from_bits(u128::from(index)), at: now, mode: EntryMode::Each, changes };
            let moved = !state.apply(index, &entry).events.is_empty();
            prop_assert!(moved != entry.changes.is_empty(), "a change that changes nothing: {:?}", entry.changes);
            match wake_at {
                Some(at) => { prop_assert!(at > now); now = at; }
                None if moved => {}
                None => break,
            }
        }
        prop_assert!(state.view().nodes().all(|node| node.status.state == NodeState::Down));
    }
}
