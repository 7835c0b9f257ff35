//! Several managers over real gRPC on loopback: elections, failover, catching up, membership.

#[path = "support/group.rs"]
mod group;

use std::time::Duration;

use cluster_raft::{Feed, ProposeError, Raft, StartError, Timing};
use cluster_types::{Object, RequestId};
use group::{Group, config, node, node_id, shows};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_elects_and_replicates_to_every_manager() {
    let group = Group::new(3).await;
    let committed = group.propose(&node(1, 0)).await;
    assert_eq!(committed.outcomes, [Ok(())]);
    for manager in &group.managers {
        shows(manager.raft(), "node 1", |view| view.node(node_id(1)).is_some()).await;
        assert_eq!(manager.raft().membership().voters.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_leader_is_killed() {
    let mut group = Group::new(3).await;
    for number in 0..100 {
        group.propose(&node(number, 100)).await;
    }
    let old = group.leader().await.id;
    group.kill(old).await;
    // The next write is taken by another leader.
    group.propose(&node(100, 0)).await;
    assert_ne!(group.leader().await.id, old);
    group.restart(old).await;
    for manager in &group.managers {
        shows(manager.raft(), "101 nodes", |view| (0..=100).all(|number| view.node(node_id(number)).is_some())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_process_died_is_replaced_without_waiting_for_its_lease() {
    // By the lease alone, nobody could be elected within the test's patience.
    let timing = Timing { election_min: 2 * group::PATIENCE, election_max: 3 * group::PATIENCE, ..Timing::default() };
    let mut group = Group::with(3, timing).await;
    for round in 0..3 {
        let old = group.leader().await.id;
        group.settle(2 * round).await;
        group.kill(old).await;
        group.propose(&node(2 * round + 1, 0)).await;
        assert_ne!(group.leader().await.id, old);
        group.restart(old).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_group_keeps_its_leader() {
    let group = Group::new(3).await;
    let before = *group.leader().await.raft().leadership().borrow();
    for number in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        group.propose(&node(number, 0)).await;
    }
    assert_eq!(*group.leader().await.raft().leadership().borrow(), before, "nobody was elected meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_managers_restart_with_everything_acknowledged() {
    let mut group = Group::new(3).await;
    for number in 0..50 {
        group.propose(&node(number, 10)).await;
    }
    for id in 1..=3 {
        group.kill(id).await;
    }
    for id in 1..=3 {
        group.restart(id).await;
    }
    let leader = group.leader().await;
    leader.raft().barrier().await.expect("a barrier on the leader");
    assert_eq!(leader.raft().view().node_count(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_far_behind_and_a_new_one_get_a_snapshot() {
    let mut group = Group::new(3).await;
    let behind = (1..=3).find(|id| *id != 1).expect("a follower");
    let leader = group.leader().await.id;
    let behind = if leader == behind { 3 } else { behind };
    group.kill(behind).await;
    for number in 0..300 {
        // Large enough to need several pieces.
        group.propose(&node(number, 4_000)).await;
    }
    let leader = group.leader().await.raft();
    leader.snapshot_and_purge().await.expect("a snapshot");
    group.propose(&node(300, 0)).await;
    group.restart(behind).await;
    shows(group.manager(behind).raft(), "301 nodes", |view| view.node_count() == 301).await;

    // One that lost its disk comes back as somebody else.
    let mut lost = group.take(behind);
    group.leader().await.raft().remove(behind).await.expect("removed");
    let renewed = tokio::task::spawn_blocking(move || {
        lost.kill();
        lost.renew(17);
        lost
    });
    group.managers.push(renewed.await.expect("renewed"));
    group.seat(group.manager(17)).await;
    shows(group.manager(17).raft(), "301 nodes", |view| view.node_count() == 301).await;
    let ids: Vec<u64> = group.leader().await.raft().membership().voters.iter().map(|member| member.id).collect();
    assert!(ids.contains(&17) && !ids.contains(&behind), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_proposed_twice_is_applied_once() {
    let group = Group::new(3).await;
    let first = group.propose(&node(1, 0)).await;
    let second = group.propose(&node(1, 0)).await;
    assert_eq!((first.outcomes.as_slice(), second.outcomes.as_slice()), ([Ok(())].as_slice(), [Ok(())].as_slice()));
    let mut other = node(1, 0);
    other.request = RequestId::from_bits(99);
    assert!(group.propose(&other).await.outcomes[0].is_err(), "another request finds the id taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_handed_on_and_the_old_leader_says_where_it_is() {
    let group = Group::new(3).await;
    let old = group.leader().await;
    let next = group.managers.iter().find(|manager| manager.id != old.id).expect("a follower");
    let mut leadership = next.raft().leadership();
    old.raft().transfer_leader(next.id).await.expect("asked");
    tokio::time::timeout(group::PATIENCE, leadership.wait_for(|seen| seen.is_self_and_ready)).await.expect("in time").expect("it runs");
    let mut known = old.raft().leadership();
    known.wait_for(|seen| seen.leader == Some((next.id, next.address))).await.expect("it runs");
    assert_eq!(old.raft().propose(&node(1, 0)).await, Err(ProposeError::NotLeader { leader: Some(next.address) }));
    assert_eq!(old.raft().barrier().await, Err(ProposeError::NotLeader { leader: Some(next.address) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_writes_fail_in_bounded_time_and_views_stay() {
    let mut group = Group::new(3).await;
    group.propose(&node(1, 0)).await;
    let leader = group.leader().await.id;
    for id in (1..=3).filter(|id| *id != leader) {
        group.kill(id).await;
    }
    let alone = group.manager(leader).raft();
    let refused = alone.propose(&node(2, 0)).await.expect_err("no quorum");
    assert!(matches!(refused, ProposeError::Timeout | ProposeError::NotLeader { leader: None }), "{refused}");
    assert!(alone.barrier().await.is_err());
    assert!(alone.view().node(node_id(1)).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_sees_every_event_once_and_in_order() {
    let group = Group::new(1).await;
    group.propose(&node(0, 0)).await;
    let raft = group.leader().await.raft();
    let (view, mut feed) = raft.subscribe();
    assert_eq!(view.node_count(), 1);
    for number in 1..=20 {
        group.propose(&node(number, 0)).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let Some(Feed::Applied(applied)) = feed.next().await else { panic!("no gap is expected") };
        assert!(applied.index > view.index());
        for event in &applied.events {
            let Object::Node(node) = &event.object else { panic!("only nodes are made") };
            seen.push(node.id);
        }
    }
    assert_eq!(seen, (1..=20).map(node_id).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_no_message_holds_is_refused_before_it_is_proposed() {
    let group = Group::new(1).await;
    let refused = group.leader().await.raft().propose(&node(1, 1 << 20)).await;
    assert!(matches!(refused, Err(ProposeError::TooLarge { .. })), "{refused:?}");
    group.propose(&node(1, 900_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_serves_one_manager_only() {
    let group = Group::new(1).await;
    let manager = &group.managers[0];
    let used = Raft::start(config(1, manager.address, manager.dir.path(), Timing::default())).await;
    assert!(matches!(used, Err(StartError::Directory { .. })), "it runs already");
    manager.raft().shutdown().await;
    let other = Raft::start(config(2, manager.address, manager.dir.path(), Timing::default())).await;
    assert!(matches!(other, Err(StartError::Identity { .. })), "it is manager 1's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_whose_disk_was_set_back_stops_nobody_else() {
    let mut group = Group::new(3).await;
    let leader = group.leader().await.id;
    let rolled = (1..=3).find(|id| *id != leader).expect("a follower");
    group.settle(0).await;
    group.kill(rolled).await;
    let mut manager = group.take(rolled);
    let backup = manager.backup();
    group.managers.push(manager);
    group.restart(rolled).await;
    group.settle(1).await;
    group.kill(rolled).await;
    manager = group.take(rolled);
    manager.dir = backup;
    group.managers.push(manager);
    group.restart(rolled).await;
    for number in 2..30 {
        group.propose(&node(number, 0)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let goes_on = group.leader().await.raft();
    assert_eq!(goes_on.view().node_count(), 30);
    assert_eq!(group.manager(leader).raft().progress().stopped, None, "the leader did not take it for a defect of its own");
}

/// The manager that came back stands for election again and again when the leader dies, and must leave room for the other, whose log is
/// longer: it has seen a leader, so it notices the loss as fast as anybody, but nobody can vote for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_came_back_behind_does_not_keep_the_other_from_being_elected() {
    let mut group = Group::new(3).await;
    let mut number = 0;
    for _ in 0..4 {
        let leader = group.leader().await.id;
        let behind = (1..=3).find(|id| *id != leader).expect("a follower");
        group.kill(behind).await;
        for _ in 0..100 {
            number += 1;
            group.propose(&node(number, 20_000)).await;
        }
        group.restart(behind).await;
        let mut leadership = group.manager(behind).raft().leadership();
        leadership.wait_for(|seen| seen.leader.is_some()).await.expect("it runs");
        group.kill(leader).await;
        number += 1;
        group.propose(&node(number, 0)).await;
        group.restart(leader).await;
        number += 1;
        group.settle(number).await;
    }
}
