//! Any mishap ends in exactly what was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use super::{end_all, job, live, on_all_nodes, status, status_of};
use crate::Dirty;
use crate::testbed::{Testbed, node, node_id, service_id};

/// What may happen to a job.
#[derive(Debug, Clone)]
enum Act {
    End(usize, bool),
    Pass,
    Agents,
    CutPass(usize),
    LostBooks,
    Election,
    Later(u64),
    Node(u128, NodeState),
    Availability(u128, Availability),
    Label(u128, bool),
    NodeAdd,
    NodeRemove(u128),
    Again,
    Concurrency(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let state = prop::sample::select(vec![NodeState::Ready, NodeState::Ready, NodeState::Disconnected, NodeState::Down]);
    let availability = prop::sample::select(vec![Availability::Active, Availability::Pause, Availability::Drain]);
    prop_oneof![
        8 => (any::<usize>(), any::<bool>()).prop_map(|(task, completes)| Act::End(task, completes)),
        8 => Just(Act::Pass),
        8 => Just(Act::Agents),
        2 => (0_usize..6).prop_map(Act::CutPass),
        2 => Just(Act::LostBooks),
        1 => Just(Act::Election),
        3 => (1_u64..20_000).prop_map(Act::Later),
        2 => (1_u128..6, state).prop_map(|(node, state)| Act::Node(node, state)),
        1 => (1_u128..6, availability).prop_map(|(node, availability)| Act::Availability(node, availability)),
        1 => (1_u128..6, any::<bool>()).prop_map(|(node, label)| Act::Label(node, label)),
        1 => Just(Act::NodeAdd),
        1 => (2_u128..6).prop_map(Act::NodeRemove),
        1 => Just(Act::Again),
        1 => (1_u64..5).prop_map(Act::Concurrency),
    ]
}

fn labels(zone: bool) -> BTreeMap<String, String> {
    if zone { BTreeMap::from([("zone".to_owned(), "a".to_owned())]) } else { BTreeMap::new() }
}

/// A cluster with one job, and what an observer saw.
struct Story {
    bed: Testbed,
    /// Slots or nodes that completed in each run by a task that was wanted.
    completed: BTreeSet<(u64, u64, Option<NodeId>)>,
    iteration: u64,
    /// The last run whose end was seen.
    ended: u64,
    /// How many nodes there ever were.
    nodes: u128,
}

impl Story {
    fn act(&mut self, act: &Act) {
        let (view, bed) = (self.bed.view(), &mut self.bed);
        let there = |number: u128| view.node(node_id(number)).is_some();
        match act {
            Act::End(number, completes) => {
                let runs: Vec<_> = view.tasks().filter(|task| task.status.state == TaskState::Running).collect();
                if let Some(task) = runs.get(number % runs.len().max(1)) {
                    bed.end(task.id, if *completes { TaskState::Complete } else { TaskState::Failed });
                }
            }
            Act::Pass => drop(bed.pass()),
            Act::Agents => drop(bed.agents()),
            Act::CutPass(keep) => bed.cut_pass(*keep),
            Act::LostBooks => bed.pass_without(|change| matches!(change, Change::Service(_, ServiceStep::Job(_)))),
            Act::Election => bed.dirty = Dirty::all(),
            Act::Later(millis) => bed.advance(Duration::from_millis(*millis)),
            Act::Node(number, state) if there(*number) => bed.set_node(*number, *state),
            Act::Availability(number, availability) if there(*number) => bed.update_node(*number, |node| node.availability = *availability),
            Act::Label(number, label) if there(*number) => bed.update_node(*number, |node| node.labels = labels(*label)),
            Act::NodeRemove(number) if there(*number) => {
                bed.remove(ObjectKey::Node(node_id(*number)));
                self.completed.retain(|(.., node)| *node != Some(node_id(*number)));
            }
            Act::NodeAdd if self.nodes < 6 => {
                // Ids of nodes are not used again.
                self.nodes += 1;
                bed.apply(vec![Change::Create(Object::Node(Arc::new(node(self.nodes))))]);
            }
            Act::Node(..) | Act::Availability(..) | Act::Label(..) | Act::NodeRemove(_) | Act::NodeAdd => {}
            Act::Again => bed.update(service_id(1), |spec| spec.task.force_update += 1),
            Act::Concurrency(most) => bed.update(service_id(1), |spec| {
                if let ServiceMode::ReplicatedJob { max_concurrent, .. } = &mut spec.mode {
                    *max_concurrent = *most;
                }
            }),
        }
        self.look();
    }

    /// What always holds.
    fn look(&mut self) {
        let view = self.bed.view();
        let Some(status) = status_of(&self.bed) else { return };
        assert!(status.iteration >= self.iteration, "the run went back");
        self.iteration = status.iteration;
        let stays = |task: &Task| task.slot > 0 || task.node.is_some_and(|node| view.node(node).is_some());
        for task in self.bed.wanted(service_id(1)).iter().filter(|task| task.status.state == TaskState::Complete && stays(task)) {
            self.completed.insert((task.iteration, task.slot, task.node.filter(|_| task.slot == 0)));
        }
        let mut places = BTreeSet::new();
        for task in view.tasks().filter(|task| task.is_wanted() && !task.status.state.is_terminal()) {
            let place = (task.iteration, task.slot, task.node.filter(|_| task.slot == 0));
            assert!(places.insert(place), "two tasks in a place");
            assert!(!self.completed.contains(&place), "a place that completed has another task");
        }
        if let Some(ended) = status.ended.filter(|_| self.ended < status.iteration) {
            self.ended = status.iteration;
            assert!(ended >= status.started || self.bed.now < status.started);
            let seen = self.completed.iter().filter(|(iteration, ..)| *iteration == status.iteration).count();
            assert_eq!(status.completed, u64::try_from(seen).unwrap(), "{status:?}");
        }
    }

    /// The trouble ends: every task that runs completes.
    fn end(&mut self) {
        let nodes: Vec<u128> = self.bed.view().nodes().map(|node| node.id.bits()).collect();
        for number in nodes {
            self.bed.set_node(number, NodeState::Ready);
            self.bed.update_node(number, |node| (node.availability, node.labels) = (Availability::Active, labels(true)));
        }
        for _ in 0..4_000 {
            let plan = self.bed.pass();
            self.look();
            let moved = self.bed.agents() || !live(&self.bed).is_empty();
            end_all(&mut self.bed, TaskState::Complete);
            self.look();
            if !moved && plan.changes.is_empty() {
                return;
            }
            self.bed.advance(Duration::from_millis(100));
        }
        panic!("the job does not end: {:?}", status_of(&self.bed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    #[test]
    fn a_job_ends_with_exactly_what_was_asked_for(
        acts in prop::collection::vec(act(), 0..100), max_concurrent in 1_u64..5, total in 1_u64..60,
        everywhere: bool, labelled: bool, waits in prop::option::of(0_u64..60),
    ) {
        let mut story = Story { bed: Testbed::new(3), completed: BTreeSet::new(), iteration: 0, ended: 0, nodes: 3 };
        let mut spec = if everywhere { on_all_nodes() } else { job(max_concurrent, total) };
        spec.task.placement.constraints.extend(labelled.then(|| "node.labels.zone==a".parse().unwrap()));
        spec.task.on_node_lost = waits.map_or(NodeLoss::Keep, |seconds| NodeLoss::Replace { after: Duration::from_secs(seconds) });
        story.bed.create(1, spec);
        acts.iter().for_each(|act| story.act(act));
        story.end();
        let status = status(&story.bed);
        prop_assert!(status.ended.is_some());
        prop_assert_eq!(status.completed, status.wanted);
        if !everywhere {
            prop_assert_eq!(status.completed, total);
        }
        prop_assert_eq!(story.bed.wanted(service_id(1)).len(), 0);
        prop_assert!(story.bed.view().task_count() <= limits::JOB_RECORDS);
        prop_assert!(story.bed.pass().changes.is_empty());
    }
}
