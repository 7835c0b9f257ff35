//! Every node and its verdict on a task: the answer to "why does it wait", and to "why there". Pure data for the control API, which asks
//! for it now and then; it decides nothing.
//!
//! For a task that has its node the table is that of now, as if the task were not there: what its node was ranked by then is not kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{BlockOwner, NetworkId, NodeId, ServiceId, ServiceSpec, Task, TaskId, TaskState, Timestamp, Version};

use super::affinity::{self, Affinities};
use super::demand::{Demand, Refusal};
use super::fleet::{Fleet, Room};
use super::place::ranks;
use super::rank::free_share;
use super::remedy::remedies;
use super::spread::{Branches, Key};
use super::standing::Standing;
use super::waits;
use crate::Dirty;
use crate::allocate::pools::Pools;
use crate::constraint;
use crate::draft::Draft;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A service: the first of its tasks that waits, or one more task when none does.
    Service(ServiceId),
    /// A task.
    Task(TaskId),
}

/// All nodes with their verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: String,
    /// The task that it is about; none when it is about one more task of the service.
    pub task: Option<TaskId>,
    /// Where that task is, when it has been placed.
    pub placed: Option<NodeId>,
    /// How many tasks of the service wait for a node.
    pub waiting: u64,
    /// The nodes: those that fit, the best first, then the others by name.
    pub rows: Vec<Row>,
    /// What would make it fit. Empty when a node fits.
    pub remedies: Vec<String>,
}

/// A node and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The node.
    pub node: NodeId,
    /// Its host name.
    pub hostname: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// What a node says to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes it, and is as good as that.
    Fits(Score),
    /// It does not take it: the first reason.
    Refused(Refusal),
    /// It has its task of the global service.
    HasOne,
    /// The task belongs on another node.
    Bound(NodeId),
}

/// What a node is ranked by, in the order of its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 1 for the best.
    pub place: u64,
    /// Recent failures of the service there; they weigh once they are many.
    pub failures: u32,
    /// Its branch at each level of the preferences.
    pub levels: Vec<Level>,
    /// The weights of the affinities that it meets.
    pub affinity: i32,
    /// Tasks of the service there.
    pub own: u32,
    /// Free share of what the task reserves, in thousandths.
    pub free: u32,
    /// Tasks of all services there.
    pub tasks: u32,
}

/// A branch of the preferences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Such as `node.labels.zone`.
    pub key: String,
    /// The node's value; empty without the label.
    pub value: String,
    /// Tasks of the service on all nodes with that value.
    pub tasks: u32,
}

/// The table for a task or service; none when there is no such thing.
#[must_use]
pub fn why(view: &View, now: Timestamp, subject: Subject) -> Option<Table> {
    let case = Case::of(view, subject)?;
    let dirty = Dirty::default();
    let draft = Draft::new(view, now, 0, &dirty);
    let (mut fleet, standing) = case.look(&draft);
    let scores = case.scores(&mut fleet, &standing);
    let (mut pools, mut rows, mut refused) = (Pools::default(), Vec::new(), Vec::new());
    for (place, room) in fleet.rooms.iter().enumerate() {
        let verdict = case.judge(view, &mut pools, (room, standing.tasks[place]), scores.get(&place));
        if let Verdict::Refused(first) = &verdict {
            let all = case.demand.refusals(room, case.count(standing.tasks[place]));
            refused.push((room, if all.is_empty() { vec![first.clone()] } else { all }));
        }
        rows.push(Row { node: room.node.id, hostname: room.name(), verdict });
    }
    rows.sort_by_cached_key(|row| (row.place().unwrap_or(u64::MAX), row.hostname.clone(), row.node));
    let fits = rows.iter().any(|row| row.place().is_some());
    Some(Table {
        service: case.service,
        name: case.spec.name.clone(),
        task: case.task.as_ref().map(|task| task.id),
        placed: case.task.as_ref().filter(|task| task.status.state >= TaskState::Assigned).and_then(|task| task.node),
        waiting: case.tasks.iter().filter(|task| waits(task)).count() as u64,
        remedies: if fits { Vec::new() } else { remedies(&case.demand, rows.is_empty(), &refused) },
        rows,
    })
}

impl Row {
    fn place(&self) -> Option<u64> {
        match &self.verdict {
            Verdict::Fits(score) => Some(score.place),
            Verdict::Refused(_) | Verdict::HasOne | Verdict::Bound(_) => None,
        }
    }
}

/// What is judged.
struct Case {
    service: ServiceId,
    spec: Arc<ServiceSpec>,
    version: Version,
    task: Option<Arc<Task>>,
    tasks: Vec<Arc<Task>>,
    demand: Demand,
    networks: Vec<NetworkId>,
    is_global: bool,
}

impl Case {
    fn of(view: &View, subject: Subject) -> Option<Self> {
        let (service, task) = match subject {
            Subject::Task(id) => (view.task(id)?.service, Some(Arc::clone(view.task(id)?))),
            Subject::Service(id) => {
                (id, view.tasks_of_service(id).filter(|task| waits(task)).min_by_key(|task| (task.slot, task.id)).cloned())
            }
        };
        let version = match &task {
            Some(task) => task.spec_version,
            None => view.service(service)?.spec_version,
        };
        let spec = Arc::clone(view.spec(service, version)?);
        let (demand, networks) = (Demand::of(&spec), spec.task.network_ids().collect());
        let (tasks, is_global) = (view.tasks_of_service(service).cloned().collect(), spec.mode.is_global());
        Some(Self { service, spec, version, task, tasks, demand, networks, is_global })
    }

    /// The nodes and how the service stands on them, without the task itself.
    fn look(&self, draft: &Draft<'_>) -> (Fleet, Standing) {
        let mut fleet = Fleet::of(draft);
        fleet.learn(draft, &self.demand);
        let mut standing = Standing::of(&fleet, &self.tasks, self.version, draft.now);
        let company = |fleet: &Fleet, name: &str| affinity::company(draft, fleet, self.service, name);
        standing.affinities = Affinities::of(&mut fleet, &self.demand.placement.affinities, company);
        let there = self.task.as_ref().filter(|task| task.holds_resources());
        if let Some((task, place)) = there.and_then(|task| Some((task, fleet.find(task.node?)?))) {
            fleet.rooms[place].give_back(&self.demand, task);
            standing.tasks[place] = standing.tasks[place].saturating_sub(u32::from(task.is_wanted()));
        }
        (fleet, standing)
    }

    /// Tasks of the service that count against its limit on a node: a global service has none.
    fn count(&self, own: u32) -> u32 {
        if self.is_global { 0 } else { own }
    }

    /// The nodes that fit by their place in the fleet, with their scores.
    fn scores(&self, fleet: &mut Fleet, standing: &Standing) -> BTreeMap<usize, Score> {
        let branches = Branches::of(fleet, &self.demand, standing);
        let mut keys: Vec<Key> = ranks(fleet, &self.demand, standing).map(|rank| Key::of(rank, &branches)).collect();
        keys.sort();
        let score = |(place, key): (u64, Key)| {
            let at = key.index();
            let levels = self.demand.levels.iter().zip(branches.counts(at));
            let value = |key| constraint::value(&fleet.rooms[at].node, key).into_owned();
            let score = Score {
                place,
                failures: standing.failures[at],
                levels: levels.map(|(key, tasks)| Level { key: key.to_string(), value: value(key), tasks }).collect(),
                affinity: standing.affinity(at),
                own: standing.tasks[at],
                free: free_share(&self.demand, &fleet.rooms[at]),
                tasks: fleet.rooms[at].tasks,
            };
            (at, score)
        };
        (1..).zip(keys).map(score).collect()
    }

    fn judge(&self, view: &View, pools: &mut Pools, (room, own): (&Room, u32), score: Option<&Score>) -> Verdict {
        let bound = self.task.as_ref().filter(|_| self.is_global).and_then(|task| task.node);
        if let Some(other) = bound.filter(|node| *node != room.node.id) {
            return Verdict::Bound(other);
        }
        if self.is_global && bound.is_none() && own > 0 {
            return Verdict::HasOne;
        }
        let refusal = self.demand.refusal(room, self.count(own)).or_else(|| {
            let lack = pools.lack(view, &self.networks, BlockOwner::Node(room.node.id))?;
            Some(Refusal::Address(lack.to_string()))
        });
        match (refusal, score) {
            (None, Some(score)) => Verdict::Fits(score.clone()),
            // Every node that no filter refuses has a score, since a global service has no limit for each node.
            (None, None) => Verdict::Refused(Refusal::Full(self.demand.placement.max_per_node)),
            (Some(refusal), _) => Verdict::Refused(refusal),
        }
    }
}

#[cfg(test)]
mod tests;
