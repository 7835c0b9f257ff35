//! Lost nodes: whose tasks are replaced and when, whose stay, and what becomes of what comes back.

use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use crate::Dirty;
use crate::network_view;
use crate::testbed::{Testbed, node_id, service_id, spec};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Two tasks on two nodes, and one node to spare.
fn bed(policy: NodeLoss) -> Testbed {
    let mut bed = Testbed::new(3);
    bed.update_node(3, |node| node.availability = Availability::Pause);
    let mut spec = spec("web", 2);
    spec.task.on_node_lost = policy;
    bed.create(1, spec);
    bed.settle();
    bed.update_node(3, |node| node.availability = Availability::Active);
    bed
}

/// The nodes of the wanted tasks.
fn nodes(bed: &Testbed) -> Vec<u128> {
    let mut nodes: Vec<u128> = bed.wanted(service_id(1)).iter().map(|task| task.node.unwrap().bits()).collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn tasks_are_replaced_when_the_node_was_down_for_as_long_as_the_service_says() {
    let mut bed = bed(NodeLoss::Replace { after: 60 * SECOND });
    bed.set_node(2, NodeState::Down);
    let lost = bed.now;
    bed.pass();
    assert_eq!(nodes(&bed), [1, 2]);
    assert_eq!(bed.wake_at, Some(lost.plus(60 * SECOND)));
    bed.now = lost.plus(60 * SECOND);
    bed.pass();
    assert_eq!(nodes(&bed), [1, 3]);
    assert!(bed.wanted(service_id(1)).iter().all(|task| task.desired == DesiredState::Running), "no restart delay");
}

#[test]
fn a_node_that_comes_back_in_time_finds_its_tasks() {
    for policy in [NodeLoss::Keep, NodeLoss::Replace { after: 60 * SECOND }] {
        let mut bed = bed(policy);
        let before: Vec<TaskId> = bed.wanted(service_id(1)).iter().map(|task| task.id).collect();
        bed.set_node(2, NodeState::Down);
        bed.pass();
        bed.advance(59 * SECOND);
        bed.pass();
        bed.set_node(2, NodeState::Ready);
        bed.settle();
        assert_eq!(bed.wanted(service_id(1)).iter().map(|task| task.id).collect::<Vec<_>>(), before);
    }
}

#[test]
fn a_kept_task_waits_for_days_until_its_service_says_otherwise_or_its_node_is_removed() {
    for is_removed in [false, true] {
        let mut bed = bed(NodeLoss::Keep);
        bed.set_node(2, NodeState::Down);
        for _ in 0..72 {
            bed.advance(HOUR);
            assert!(bed.pass().changes.is_empty());
        }
        if is_removed {
            bed.remove(ObjectKey::Node(node_id(2)));
        } else {
            bed.update(service_id(1), |spec| spec.task.on_node_lost = NodeLoss::default());
        }
        bed.pass();
        assert_eq!(nodes(&bed), [1, 3]);
    }
}

#[test]
fn a_wait_of_more_than_a_day_is_honoured() {
    let mut bed = bed(NodeLoss::Replace { after: 48 * HOUR });
    bed.set_node(2, NodeState::Down);
    bed.pass();
    bed.advance(47 * HOUR);
    bed.pass();
    assert_eq!(nodes(&bed), [1, 2]);
    bed.advance(HOUR);
    bed.pass();
    assert_eq!(nodes(&bed), [1, 3]);
}

#[test]
fn a_superseded_task_that_comes_back_gets_no_traffic_and_stops() {
    let mut bed = bed(NodeLoss::default());
    let old = bed.wanted(service_id(1)).into_iter().find(|task| task.node == Some(node_id(2))).unwrap();
    bed.set_node(2, NodeState::Down);
    bed.settle();
    bed.set_node(2, NodeState::Ready);
    bed.pass();
    assert_eq!(bed.view().task(old.id).unwrap().status.state, TaskState::Running, "it still runs there");
    for node in 1..4 {
        let items = network_view::wanted(&bed.view(), node_id(node));
        let shown = format!("{items:?}");
        assert!(old.addresses.iter().all(|has| !shown.contains(&format!("{:?}", has.address))), "node {node} sends it traffic");
    }
    bed.settle();
    assert_eq!(bed.view().task(old.id).unwrap().status.state, TaskState::Shutdown);
    assert_eq!(nodes(&bed), [1, 3]);
}

#[test]
fn a_global_service_gets_a_task_on_a_node_that_joins_and_keeps_none_on_one_that_left() {
    let mut bed = Testbed::new(2);
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) });
    bed.settle();
    bed.apply(vec![Change::Create(Object::Node(std::sync::Arc::new(crate::testbed::node(3))))]);
    bed.settle();
    assert_eq!(bed.running(agent).len(), 3);
    bed.set_node(1, NodeState::Down);
    bed.settle();
    assert_eq!(nodes(&bed), [2, 3]);
    bed.set_node(1, NodeState::Ready);
    bed.settle();
    assert_eq!(nodes(&bed), [1, 2, 3]);
    bed.remove(ObjectKey::Node(node_id(1)));
    bed.settle();
    assert_eq!(nodes(&bed), [2, 3]);
}

proptest! {
    /// Whatever happens to nodes and leaders, no task is given up before its time, and all are after it.
    #[test]
    fn no_task_is_given_up_too_early_or_too_late(
        after in 0_u64..100, acts in prop::collection::vec((1_u128..4, any::<bool>(), any::<bool>(), 1_u64..60), 1..30),
    ) {
        let after = Duration::from_secs(after);
        let mut bed = bed(NodeLoss::Replace { after });
        for (node, comes, election, wait) in acts {
            let state = if comes { NodeState::Ready } else { NodeState::Down };
            if bed.view().node(node_id(node)).unwrap().status.state != state {
                bed.set_node(node, state);
            }
            if election {
                bed.dirty = Dirty::all();
            }
            let before = bed.wanted(service_id(1));
            bed.pass();
            let view = bed.view();
            let down_for = |node: NodeId| view.node(node).filter(|node| node.status.state == NodeState::Down).map(|node| bed.now.since(node.status.since));
            for task in before {
                let overdue = task.node.and_then(down_for).is_some_and(|down| down >= after);
                prop_assert_eq!(view.task(task.id).is_none_or(|task| !task.is_wanted()), overdue, "{:?}", task);
            }
            bed.advance(Duration::from_secs(wait));
        }
    }
}
