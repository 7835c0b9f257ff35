//! What the worker is told, and when it goes its round.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_task::Slot;
use cluster_types::{AssignmentDiff, SessionStamp, TaskId};

use super::Host;
use super::ledger::Record;
use crate::context::Context;
use crate::event::Event;

impl Host {
    /// The worker goes its round soon.
    pub(super) fn wake_worker(&mut self, context: &mut Context) {
        let millis = self.takes(0..=2, context);
        let Some(agent) = &mut self.agent else { return };
        if !agent.is_woken {
            agent.is_woken = true;
            context.after(millis, Event::Work { host: self.index, life: self.life });
        }
    }

    /// Wakes the worker when a task's time has come.
    pub(super) fn wake_due(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let now = agent.clock.read(context.now, self.wall);
        let due = agent.slots.iter().filter(|(_, slot)| slot.wake_at.is_some_and(|at| at <= now));
        let due: Vec<TaskId> = due.map(|(task, _)| *task).collect();
        if !due.is_empty() {
            agent.ready.extend(due);
            self.wake_worker(context);
        }
    }

    /// What the node is to run.
    pub(super) fn assign(&mut self, diff: &AssignmentDiff, stamp: SessionStamp, context: &mut Context) {
        context.watch.obeyed(self.index, stamp);
        let Some(agent) = &mut self.agent else { return };
        if diff.full {
            let wanted: BTreeSet<TaskId> = diff.put.iter().map(|assignment| assignment.task).collect();
            for task in std::mem::take(&mut agent.strays) {
                agent.slots.entry(task).or_insert_with(Slot::unseen);
            }
            let keeps = cluster_types::bug!(SupersededKept);
            let gone: Vec<TaskId> = agent.slots.keys().filter(|task| !keeps && !wanted.contains(*task)).copied().collect();
            gone.into_iter().for_each(|task| agent.unassign(task));
        }
        for assignment in &diff.put {
            let task = assignment.task;
            context.watch.accepted(self.index, self.node, assignment);
            let stale = agent.strays.remove(&task);
            let slot = agent.slots.entry(task).or_insert_with(|| if stale { Slot::unseen() } else { Slot::default() });
            if slot.assignment.as_ref() != Some(assignment) {
                slot.assignment = Some(Arc::clone(assignment));
                agent.unsaved.push(Record::Assigned(Arc::clone(assignment)));
                agent.unsaved_matters = true;
                agent.ready.insert(task);
            }
        }
        diff.remove.iter().for_each(|task| agent.unassign(*task));
        self.wake_worker(context);
    }

    /// A container changed.
    pub(crate) fn notice(&mut self, task: TaskId, context: &mut Context) {
        let Some(slot) = self.agent.as_mut().and_then(|agent| agent.slots.get_mut(&task)) else { return };
        slot.stale = true;
        if let Some(agent) = &mut self.agent {
            agent.ready.insert(task);
        }
        self.wake_worker(context);
    }
}

impl super::Agent {
    fn unassign(&mut self, task: TaskId) {
        if let Some(slot) = self.slots.get_mut(&task) {
            slot.assignment = None;
            self.reports.forget(task);
            self.unsaved.push(Record::Unassigned(task));
            self.unsaved_matters = true;
            self.ready.insert(task);
        }
    }
}
