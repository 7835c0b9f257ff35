//! Tests of the membership: over random groups, that no step costs the quorum and that the wish comes true.

use cluster_state::State;
use proptest::prelude::*;

use super::*;
use crate::samples::{add_manager, node_id};

/// What the wish is for one node, and where it is.
#[derive(Debug, Clone)]
struct Member {
    wanted: bool,
    voter: bool,
    learner: bool,
    answers: bool,
}

fn any_members() -> impl Strategy<Value = Vec<Member>> {
    let one =
        any::<[bool; 4]>().prop_map(|[wanted, voter, learner, answers]| Member { wanted, voter, learner: learner && !voter, answers });
    prop::collection::vec(one, 1..7)
}

fn setting(members: &[Member]) -> (State, Group) {
    let mut state = State::new();
    let mut group = Group::default();
    for (raft_id, member) in (1..).zip(members) {
        add_manager(&mut state, raft_id, if member.wanted { Role::Manager } else { Role::Worker }, Some(raft_id));
        let sets = [(member.voter, &mut group.voters), (member.learner, &mut group.learners), (member.answers, &mut group.reachable)];
        for (belongs, set) in sets {
            if belongs {
                set.insert(raft_id);
            }
        }
    }
    (state, group)
}

fn has_quorum(group: &Group) -> bool {
    group.voters.iter().filter(|raft_id| group.hears(**raft_id)).count() > group.voters.len() / 2
}

/// Carries a step out. A learner that answers has the log at once.
fn take(group: &mut Group, step: Step) {
    match step {
        Step::AddLearner { raft_id, .. } => drop(group.learners.insert(raft_id)),
        Step::Promote { raft_id } => {
            assert!(group.learners.remove(&raft_id), "only learners are promoted");
            group.voters.insert(raft_id);
        }
        Step::Remove { raft_id } => {
            assert_ne!(raft_id, group.own, "a leader does not remove itself");
            assert!(group.voters.remove(&raft_id) | group.learners.remove(&raft_id));
        }
        Step::TransferLeadership { to } => {
            assert!(group.voters.contains(&to) && group.hears(to));
            group.reachable.insert(group.own);
            group.own = to;
        }
    }
    group.caught_up = group.learners.clone();
}

fn managers(state: &State) -> BTreeSet<u64> {
    seats(&state.view()).into_keys().collect()
}

proptest! {
    #[test]
    fn no_step_costs_the_quorum_and_the_wish_comes_true(members in any_members(), leader: prop::sample::Index) {
        let (state, mut group) = setting(&members);
        prop_assume!(!group.voters.is_empty());
        group.own = *leader.get(&group.voters.iter().copied().collect::<Vec<_>>());
        group.reachable.insert(group.own);
        prop_assume!(has_quorum(&group));
        group.caught_up = group.learners.clone();
        for round in 0.. {
            prop_assert!(round < 40, "it never ends: {:?}", group);
            let Some(step) = next(&state.view(), &group) else { break };
            take(&mut group, step);
            prop_assert!(has_quorum(&group), "{:?} leaves {:?}", step, group);
        }
        let wanted = managers(&state);
        if wanted.iter().all(|raft_id| group.hears(*raft_id)) && !wanted.is_empty() {
            prop_assert_eq!((&group.voters, group.learners.len()), (&wanted, 0));
        }
    }

    #[test]
    fn a_manager_that_may_go_leaves_a_quorum(members in any_members(), number in 1..7_u64) {
        let (state, group) = setting(&members);
        let mut left = managers(&state);
        let is_manager = left.remove(&number);
        let quorum = has_quorum(&Group { voters: left.clone(), reachable: group.reachable.clone(), ..Group::default() });
        let allowed = can_remove_manager(&state.view(), node_id(number), &group.reachable);
        prop_assert_eq!(allowed.is_ok(), !is_manager || quorum);
        prop_assert_eq!(allowed == Err(Refusal::LastManager), is_manager && left.is_empty());
    }
}

#[test]
fn a_new_manager_learns_before_it_votes() {
    let mut state = State::new();
    add_manager(&mut state, 1, Role::Manager, Some(1));
    add_manager(&mut state, 2, Role::Manager, Some(2));
    add_manager(&mut state, 3, Role::Manager, None);
    let mut group = Group { own: 1, voters: [1].into(), ..Group::default() };
    assert_eq!(next(&state.view(), &group), Some(Step::AddLearner { node: node_id(2), raft_id: 2 }));
    group.learners.insert(2);
    group.reachable.insert(2);
    assert_eq!(next(&state.view(), &group), None, "it has not the log yet");
    group.caught_up.insert(2);
    assert_eq!(next(&state.view(), &group), Some(Step::Promote { raft_id: 2 }));
}

#[test]
fn a_leader_that_is_not_wanted_hands_over_last() {
    let mut state = State::new();
    add_manager(&mut state, 1, Role::Worker, Some(1));
    add_manager(&mut state, 2, Role::Manager, Some(2));
    add_manager(&mut state, 3, Role::Worker, Some(3));
    let mut group = Group { own: 1, voters: [1, 2, 3].into(), reachable: [1, 2, 3].into(), ..Group::default() };
    assert_eq!(next(&state.view(), &group), Some(Step::Remove { raft_id: 3 }));
    group.voters.remove(&3);
    assert_eq!(next(&state.view(), &group), Some(Step::TransferLeadership { to: 2 }));
    group.reachable.remove(&2);
    assert_eq!(next(&state.view(), &group), None, "nobody answers that could lead");
}

#[test]
fn refusals_say_what_to_do() {
    let mut state = State::new();
    add_manager(&mut state, 1, Role::Manager, Some(1));
    let refusal = can_remove_manager(&state.view(), node_id(1), &[1].into()).unwrap_err();
    assert_eq!(refusal.to_string(), "it is the last manager: promote another node first");
    add_manager(&mut state, 2, Role::Manager, Some(2));
    add_manager(&mut state, 3, Role::Manager, Some(3));
    let refusal = can_remove_manager(&state.view(), node_id(1), &[1, 2].into()).unwrap_err();
    assert_eq!(refusal, Refusal::Quorum { managers: 2, reachable: 1, needed: 2 });
    assert_eq!(can_remove_manager(&state.view(), node_id(3), &[1, 2].into()), Ok(()));
}
