//! `bench place`: how fast waiting tasks get their nodes (performance.md P6). Pure: no disk, no network, one thread.

use std::sync::Arc;

use clap::Args;
use cluster_decide::schedule;
use cluster_state::State;
use cluster_types::{
    Author, Change, Entry, EntryMode, IdStream, Meta, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec, NodeState, NodeStatus, Object,
    RequestId, Reservation, Service, ServiceId, ServiceMode, ServiceSpec, Task, TaskSpec, Timestamp, Version,
};
use serde_json::json;

use super::meter::{Meter, line};
use crate::failure::Failure;

const NOW: Timestamp = Timestamp(1_000_000);

/// Flags of `bench place`.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Nodes
    #[arg(long, default_value_t = 1_000)]
    nodes: u64,
    /// Tasks that wait
    #[arg(long, default_value_t = 100_000)]
    tasks: u64,
    /// Services that they belong to
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    services: u64,
    /// Times that all are placed; the fastest counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

impl Place {
    /// Measures.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let view = self.cluster().view();
        let mut best: Option<(f64, f64, usize)> = None;
        for _ in 0..self.rounds {
            let meter = Meter::start();
            let decisions = std::hint::black_box(schedule::place_waiting(&view, NOW));
            let reading = meter.read();
            let placed = decisions.iter().filter(|decision| decision.outcome.is_ok()).count();
            if best.is_none_or(|(seconds, ..)| reading.seconds < seconds) {
                best = Some((reading.seconds, reading.cpu_seconds, placed));
            }
        }
        let (seconds, cpu_seconds, placed) = best.unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = placed as f64 / seconds;
        let figures = json!({
            "nodes": self.nodes, "tasks": self.tasks, "services": self.services, "placed": placed,
            "seconds": seconds, "cpu_seconds": cpu_seconds, "decisions_per_second": rate.round(),
        });
        line("place", figures)
    }

    fn cluster(&self) -> State {
        let mut state = State::new();
        apply(&mut state, (1..=self.nodes).map(node).collect());
        let replicas = self.tasks / self.services;
        apply(&mut state, (1..=self.services).map(|number| service(number, replicas)).collect());
        for number in 1..=self.services {
            let changes = tasks(&state, number, replicas);
            apply(&mut state, changes);
        }
        state
    }
}

fn apply(state: &mut State, changes: Vec<Change>) {
    let index = state.index().0 + 1;
    let entry = Entry { request: RequestId::from_bits(index.into()), at: NOW, mode: EntryMode::Each, changes };
    state.apply(index, &entry);
}

fn node(number: u64) -> Change {
    let capacity = Reservation { nano_cpus: 64_000_000_000, memory: 512 << 30 };
    Change::Create(Object::Node(Arc::new(Node {
        meta: Meta::default(),
        id: NodeId::from_bits(number.into()),
        spec: NodeSpec::default(),
        description: NodeDescription { hostname: format!("node-{number}"), capacity, ..NodeDescription::default() },
        status: NodeStatus { state: NodeState::Ready, ..NodeStatus::default() },
        manager: None,
        number: u16::try_from(number).ok(),
        network: NodeNetwork::default(),
    })))
}

fn service(number: u64, replicas: u64) -> Change {
    let task = TaskSpec { reservation: Reservation { nano_cpus: 100_000_000, memory: 64 << 20 }, ..TaskSpec::default() };
    let spec = ServiceSpec {
        name: format!("service-{number}"),
        labels: std::collections::BTreeMap::new(),
        task,
        mode: ServiceMode::Replicated { replicas },
        ..ServiceSpec::default()
    };
    let id = ServiceId::from_bits(u128::from(number));
    Change::Create(Object::Service(Arc::new(Service::new(id, spec, Author::default()))))
}

fn tasks(state: &State, number: u64, replicas: u64) -> Vec<Change> {
    let id = ServiceId::from_bits(number.into());
    let spec_version = state.view().service(id).map_or(Version(0), |service| service.spec_version);
    let mut ids = IdStream::new(number, 0);
    let task = |slot| Task::new(ids.next_id(), id, spec_version, slot);
    (1..=replicas).map(task).map(|task| Change::Create(Object::Task(Arc::new(task)))).collect()
}
