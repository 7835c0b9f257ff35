//! Tests of draining: who is waited for, and that nobody is waited for too long.

use proptest::prelude::*;

use super::*;
use crate::testbed::{Testbed, node_id, spec};

const GRACE: Duration = Duration::from_secs(3);

/// Three nodes with a task each, of which the one on node 1 is to stop.
fn draining() -> (Testbed, TaskId) {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    let task = bed.wanted(web).iter().find(|task| task.node == Some(node_id(1))).unwrap().id;
    bed.apply(vec![cluster_types::Change::Task(task, cluster_types::TaskStep::Desire(DesiredState::Shutdown))]);
    (bed, task)
}

fn all_at(bed: &Testbed, version: u64) -> Applied {
    bed.view().nodes().map(|node| (node.id, Version(version))).collect()
}

#[test]
fn a_task_is_held_until_every_node_knows() {
    let (bed, task) = draining();
    let (view, index) = (bed.view(), bed.view().index().0);
    let mut applied = all_at(&bed, index);
    let look = |applied: &Applied, node| held(&view, node_id(node), applied, bed.now, GRACE);
    assert_eq!(look(&applied, 1), (BTreeSet::new(), None));
    applied.insert(node_id(3), Version(index - 1));
    assert_eq!(look(&applied, 1), (BTreeSet::from([task]), Some(bed.now.plus(GRACE))));
    applied.remove(&node_id(3));
    assert_eq!(look(&applied, 1).0.len(), 1, "it never said anything");
    assert_eq!(look(&applied, 2), (BTreeSet::new(), None), "its task goes on anyway");
}

#[test]
fn a_node_that_is_down_is_not_waited_for_and_holds_nothing() {
    let (mut bed, _) = draining();
    let mut applied = all_at(&bed, bed.view().index().0);
    applied.remove(&node_id(3));
    bed.set_node(3, NodeState::Disconnected);
    assert_eq!(held(&bed.view(), node_id(1), &applied, bed.now, GRACE).0.len(), 1, "it may still send traffic");
    bed.set_node(3, NodeState::Down);
    assert!(held(&bed.view(), node_id(1), &applied, bed.now, GRACE).0.is_empty());
    bed.set_node(1, NodeState::Down);
    assert!(held(&bed.view(), node_id(1), &Applied::new(), bed.now, GRACE).0.is_empty());
}

#[test]
fn a_task_without_a_network_stops_at_once() {
    let mut bed = Testbed::new(1);
    let mut alone = spec("alone", 1);
    alone.task.network = cluster_types::NetworkMode::None;
    let alone = bed.create(1, alone);
    bed.settle();
    bed.remove(cluster_types::ObjectKey::Service(alone));
    bed.pass();
    assert!(bed.view().tasks().all(|task| task.desired > DesiredState::Running && task.status.state == TaskState::Running));
    assert!(held(&bed.view(), node_id(1), &Applied::new(), bed.now, GRACE).0.is_empty());
}

proptest! {
    #[test]
    fn nothing_is_held_longer_than_the_grace_nor_when_all_know(
        applied in proptest::collection::vec(0..40_u64, 3), later in 0..6_000_u64, earlier in 0..60_000_u64,
    ) {
        let (bed, task) = draining();
        let (view, since) = (bed.view(), bed.now);
        let changed = view.task(task).unwrap().meta.version;
        let applied: Applied = (1..=3).map(node_id).zip(applied.into_iter().map(Version)).collect();
        let all_know = applied.values().all(|version| *version >= changed);
        let now = Timestamp((since.0 + later).saturating_sub(earlier));
        let (held, look_again) = held(&view, node_id(1), &applied, now, GRACE);
        prop_assert!(held.is_empty() || (!all_know && now < since.plus(GRACE)));
        prop_assert_eq!(look_again, (!held.is_empty()).then(|| since.plus(GRACE)));
        // A clock that was far ahead holds nothing up.
        prop_assert!(held.is_empty() || since <= now.plus(GRACE));
        prop_assert_eq!(!held.is_empty(), !all_know && now < since.plus(GRACE) && since <= now.plus(GRACE));
    }
}
