//! One round of the worker: step, save, report, act.

use std::sync::{Arc, PoisonError};

use cluster_task::{Action, step};
use cluster_types::{Check, DesiredState, TaskId, TaskStatus, Timestamp};

use super::job::Finished;
use super::slot::{Busy, Slot};
use super::{RETRY, Worker};
use crate::ledger::Record;

impl Worker {
    pub(super) async fn round(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, task)) = self.wakes.first()
            && at <= now
        {
            self.wakes.pop_first();
            self.ready.insert(task);
        }
        let mut round = Round::default();
        for task in std::mem::take(&mut self.ready) {
            self.look_at(task, now, &mut round);
        }
        let saved = self.commit(&round).await;
        for (task, status) in &round.statuses {
            self.reports.put(*task, status);
        }
        for (task, action) in round.actions {
            self.act(task, action, saved, now);
        }
        for (task, check) in round.probes {
            self.probe(task, check);
        }
    }

    /// Steps one task, unless the runtime is busy with it or it must be observed first.
    fn look_at(&mut self, task: TaskId, now: Timestamp, round: &mut Round) {
        let Some(slot) = self.slots.get_mut(&task) else { return };
        if let Some(wake_at) = slot.wake_at.take() {
            self.wakes.remove(&(wake_at, task));
        }
        match slot.busy {
            // The end of the job makes it ready again.
            Some(busy) if !ends_while_preparing(busy, slot) => return,
            None if slot.stale => return self.look(task),
            Some(_) | None => {}
        }
        let asked_before = slot.memory.stop_asked;
        let next = loop {
            let next = step(slot.assignment.as_deref(), &slot.observed, &slot.memory, now);
            slot.memory = next.memory.clone();
            slot.changed |= next.status.is_some();
            if next.action.is_some() || next.probe.is_some() || next.wake_at.is_none_or(|at| at > now) {
                break next;
            }
        };
        if std::mem::take(&mut slot.changed) {
            self.unsaved.push(slot.record(task));
            if slot.assignment.is_some() {
                round.statuses.push((task, slot.memory.status.clone()));
            }
        } else if slot.memory.stop_asked != asked_before {
            self.unsaved.push(slot.record(task));
        }
        if slot.busy.is_some() {
            return;
        }
        if next.forgotten {
            self.slots.remove(&task);
            return self.unsaved.push(Record::Forgotten(task));
        }
        slot.busy = next.action.map(Busy::Acting);
        round.probes.extend(next.probe.map(|check| (task, check)));
        round.actions.extend(next.action.map(|action| (task, action)));
        if let Some(at) = next.wake_at {
            self.wake(task, at);
        }
    }

    fn wake(&mut self, task: TaskId, at: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&task) {
            slot.wake_at = Some(at);
            self.wakes.insert((at, task));
        }
    }

    /// Writes what came up. When the disk refuses, it stays to be written by a later round.
    async fn commit(&mut self, round: &Round) -> bool {
        let records = std::mem::take(&mut self.unsaved);
        let Some(ledger) = self.ledger.clone().filter(|_| !records.is_empty()) else { return true };
        let durable = self.unsaved_matters || round.actions.iter().any(|(_, action)| action.needs_memory_saved());
        let write = tokio::task::spawn_blocking(move || {
            let written = ledger.lock().unwrap_or_else(PoisonError::into_inner).append(&records, durable);
            (written, records)
        });
        let error = match write.await {
            Ok((Ok(()), _)) => {
                self.unsaved_matters = false;
                return true;
            }
            Ok((Err(error), records)) => {
                self.unsaved = records;
                error.to_string()
            }
            Err(error) => error.to_string(),
        };
        tracing::error!(%error, "what the node was told cannot be saved, so no container is started; trying again");
        self.unsaved_matters = true;
        false
    }

    /// Starts an action beside the loop. What was not saved is not acted on, except that stopping and removing go on: they free a full disk.
    fn act(&mut self, task: TaskId, action: Action, saved: bool, now: Timestamp) {
        let makes = matches!(action, Action::Prepare | Action::Start);
        let Some(slot) = self.slots.get_mut(&task) else { return };
        if makes && !saved {
            slot.busy = None;
            return self.wake(task, now.plus(RETRY));
        }
        tracing::debug!(%task, action = action.word(), "acting");
        let (config, listen) = (slot.config(self.node), slot.may_fail());
        self.jobs.spawn(super::job::act(Arc::clone(&self.runtime), self.permits.clone(), task, action, config, listen));
    }

    fn look(&mut self, task: TaskId) {
        if let Some(slot) = self.slots.get_mut(&task) {
            slot.busy = Some(Busy::Looking);
            slot.stale = false;
            self.jobs.spawn(super::job::look(Arc::clone(&self.runtime), self.permits.clone(), task, slot.may_fail()));
        }
    }

    /// A job ended: what it did and what it saw.
    pub(super) fn take_in(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        let finished = match finished {
            Ok(finished) => finished,
            // Jobs catch panics themselves, and are aborted only when the worker ends.
            Err(error) => return tracing::error!(%error, "a job of the runtime was lost"),
        };
        let now = self.clock.now();
        let task = finished.task;
        let Some(slot) = self.slots.get_mut(&task) else { return };
        slot.busy = None;
        slot.memory.last_lines = finished.last_lines;
        if let Some((action, outcome)) = finished.acted {
            let before = slot.memory.status.state;
            slot.memory.record(action, outcome, now);
            slot.changed |= slot.memory.status.state != before;
        }
        match finished.observed {
            Ok(observed) => {
                slot.observed = observed;
                self.ready.insert(task);
            }
            Err(error) => {
                tracing::warn!(%task, %error, "the container cannot be observed; trying again");
                slot.stale = true;
                self.wake(task, now.plus(RETRY));
            }
        }
    }
}

/// What came of stepping the tasks that were ready.
#[derive(Default)]
pub(super) struct Round {
    statuses: Vec<(TaskId, TaskStatus)>,
    actions: Vec<(TaskId, Action)>,
    probes: Vec<(TaskId, Check)>,
}

/// A task that is no longer wanted ends at once, even while its image is still being fetched: nobody waits for a download.
fn ends_while_preparing(busy: Busy, slot: &Slot) -> bool {
    let unwanted = slot.assignment.as_ref().is_none_or(|assignment| assignment.desired > DesiredState::Running);
    busy == Busy::Acting(Action::Prepare) && unwanted
}
