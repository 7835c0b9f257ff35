//! What always holds. One file for each invariant of the design of the simulator (I1 to I16), and some that are our own; each looks only at
//! what a step changed. The first violation ends a simulation.

mod acknowledged;
mod addresses;
mod allocator;
mod bounds;
mod capacity;
mod delays;
mod drains;
mod events;
mod fences;
mod forward;
pub(crate) mod healed;
mod jobs;
mod nodes;
mod plans;
mod removals;
mod replicas;
mod runs;
mod saved;
mod slots;
mod time;
mod updates;
mod verdicts;
mod versions;

pub(crate) use self::bounds::QUEUE;

use std::time::Duration;

use cluster_decide::Plan;
use cluster_seeds::Violation;
use cluster_state::{Applied, State, View};
use cluster_task::Fence;
use cluster_types::{AssignmentDiff, NodeId, RequestId, SessionStamp, TaskAssignment, TaskId, Timestamp};

use crate::host::Known;
use crate::manager::Logged;

/// What is remembered to judge the next step by.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) violation: Option<Violation>,
    /// Passes of leaders.
    pub(crate) passes: u64,
    /// Entries that were committed.
    pub(crate) entries: u64,
    /// Whether an invariant that needs the whole world is due: the entry that was just committed, with its term.
    pub(crate) committed: Option<(u64, u64)>,
    acknowledged: acknowledged::Acknowledged,
    versions: versions::Versions,
    events: events::Events,
    addresses: addresses::Addresses,
    replicas: replicas::Replicas,
    updates: updates::Updates,
    slots: slots::Slots,
    time: time::Time,
    plans: plans::Plans,
    runs: runs::Runs,
    fences: fences::Fences,
    drains: drains::Drains,
}

/// What a check finds: nothing, or words.
type Found = Result<(), String>;

impl Watch {
    pub(crate) fn fail(&mut self, invariant: &'static str, text: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, text: text.into() });
        }
    }

    fn judge(&mut self, invariant: &'static str, found: Found) {
        if let Err(text) = found {
            self.fail(invariant, text);
        }
    }

    /// The cluster begins with this state.
    pub(crate) fn begin(&mut self, state: &State) {
        self.acknowledged.begin(state.index().0);
        self.events.begin(&state.view());
    }

    /// A manager was elected.
    pub(crate) fn elected(&mut self, manager: usize, term: u64) {
        let found = self.acknowledged.elected(manager, term);
        self.judge("I1", found);
    }

    /// A manager cuts its log off from an index on.
    pub(crate) fn truncated(&mut self, manager: usize, from: u64, commit: u64) {
        if from <= commit {
            self.fail("I1", format!("manager {manager} cuts off the committed entry {from}"));
        }
    }

    /// A manager took a snapshot.
    pub(crate) fn installed(&mut self, index: u64, state: &State) {
        let found = self.replicas.compare(index, state);
        self.judge("I5", found);
    }

    /// A manager applied the entry at an index.
    pub(crate) fn applied(&mut self, manager: usize, index: u64, logged: &Logged, applied: Option<&Applied>, state: &State) {
        let request = logged.entry.as_ref().map(|entry| entry.request);
        let first = self.acknowledged.applied(manager, index, logged.term, request);
        let found = first.as_ref().map_or_else(|text| Err(text.clone()), |_| Ok(()));
        self.judge("I1", found);
        let found = self.replicas.sample(index, state);
        self.judge("I5", found);
        if first != Ok(true) {
            return;
        }
        self.committed = Some((index, logged.term));
        let (Some(applied), Some(entry)) = (applied, &logged.entry) else { return };
        self.entries += 1;
        let view = state.view();
        let found = self.time.follow(entry);
        self.judge("time", found);
        let found = self.versions.follow(entry, applied);
        self.judge("I3", found);
        let found = self.events.follow(applied);
        self.judge("I4", found);
        for event in &applied.events {
            self.judge("I6", forward::follow(event));
            self.judge("I7", nodes::follow(event));
            self.judge("removed", removals::follow(event, &view));
        }
        let found = self.slots.follow(applied, &view);
        self.judge("I8", found);
        let found = self.addresses.follow(applied, &view);
        self.judge("I9", found);
        self.judge("I10", capacity::follow(applied, &view));
        let found = self.updates.follow(applied, &view);
        self.judge("I11", found);
    }

    /// A leader's pass decided, on this view.
    pub(crate) fn decided(&mut self, view: &View, plan: &Plan, now: Timestamp) {
        self.judge("failures", verdicts::judge(view, plan));
        self.judge("delays", delays::judge(view, plan, now));
        self.judge("jobs", jobs::judge(view, plan, now));
    }

    /// A client heard that its request is done, by the entry at an index.
    pub(crate) fn acknowledged(&mut self, index: u64, key: RequestId) {
        let found = self.acknowledged.acknowledged(index, key);
        self.judge("I1", found);
    }

    /// A leader has made a plan over the state of the entry `seen`, and proposed it up to the entry `last`.
    pub(crate) fn proposed(&mut self, term: u64, seen: u64, last: u64) {
        let found = self.plans.proposed(term, seen, last);
        self.judge("plans", found);
    }

    /// A leader tells a node what to run.
    pub(crate) fn assigned(&mut self, node: NodeId, diff: &AssignmentDiff, view: &View, at: (Timestamp, Duration)) {
        self.drains.told(node, diff, view, at);
    }

    /// What a leader has just told a node to stop, which others may still send traffic to.
    pub(crate) fn take_drained(&mut self) -> Vec<drains::Told> {
        self.drains.take()
    }

    /// An agent saved whom it obeys.
    pub(crate) fn saved_fence(&mut self, host: usize, fence: Fence) {
        self.fences.saved(host, fence);
    }

    /// An agent obeys an assignment.
    pub(crate) fn obeyed(&mut self, host: usize, stamp: SessionStamp) {
        let found = self.fences.obeyed(host, stamp);
        self.judge("I12", found);
    }

    /// An agent takes an assignment of a task.
    pub(crate) fn accepted(&mut self, host: usize, node: NodeId, assignment: &TaskAssignment) {
        let found = self.events.belongs(node, assignment.task);
        self.judge("I7", found.map_err(|text| format!("host {host}: {text}")));
    }

    /// A container was really started, for the `starts`th time.
    pub(crate) fn started(&mut self, host: usize, node: NodeId, assignment: &TaskAssignment, starts: u64) {
        let found = self.runs.started(host, assignment, starts);
        self.judge("once", found);
        let is_member = self.events.has_node(node);
        let found = self.runs.takes_addresses(host, assignment, is_member);
        self.judge("I9", found);
    }

    /// What an agent's disk has of a task whose container was started: asked as it starts, and again whenever the agent does.
    pub(crate) fn found_saved(&mut self, host: usize, task: TaskId, known: Option<&Known>) {
        self.judge("saved", saved::found(host, task, known));
    }

    /// A container runs no longer.
    pub(crate) fn stopped(&mut self, host: usize, task: TaskId) {
        self.runs.stopped(host, task);
    }

    /// A host has a new identity and a new disk.
    pub(crate) fn joined(&mut self, host: usize) {
        self.fences.forget(host);
        self.runs.removed(host);
    }

    /// A host's node was removed: what runs there is none of the cluster's any more.
    pub(crate) fn removed(&mut self, host: usize) {
        self.runs.removed(host);
    }

    /// Everything that the state alone shows. Costs a walk over it.
    pub(crate) fn check(&mut self, state: &State, leader_rests: bool) {
        self.judge("I14", allocator::check(state));
        let found = self.events.check(&state.view());
        self.judge("I4", found);
        self.judge("I15", bounds::check(&state.view(), leader_rests));
    }
}
