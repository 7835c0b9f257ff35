//! One round of the worker: step, save, report, act.

use std::sync::{Arc, PoisonError};

use cluster_task::Action;
use cluster_types::{Check, TaskId, TaskStatus, Timestamp};

use super::job::Finished;
use super::{RETRY, Worker, slot};
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

    /// One task has its turn.
    fn look_at(&mut self, task: TaskId, now: Timestamp, round: &mut Round) {
        let Some(slot) = self.slots.get_mut(&task) else { return };
        if let Some(wake_at) = slot.wake_at {
            self.wakes.remove(&(wake_at, task));
        }
        let turn = slot.turn(now);
        if turn.look {
            let listen = slot::may_fail(slot);
            self.jobs.spawn(super::job::look(Arc::clone(&self.runtime), self.permits.clone(), task, listen));
        }
        if turn.remember {
            self.unsaved.push(slot::record(slot, task));
        }
        self.wakes.extend(slot.wake_at.map(|at| (at, task)));
        if turn.forgotten {
            self.slots.remove(&task);
            self.unsaved.push(Record::Forgotten(task));
        }
        round.statuses.extend(turn.report.map(|status| (task, status)));
        round.probes.extend(turn.probe.map(|check| (task, check)));
        round.actions.extend(turn.action.map(|action| (task, action)));
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
        let (config, listen) = (slot::config(slot, self.node), slot::may_fail(slot));
        self.jobs.spawn(super::job::act(Arc::clone(&self.runtime), self.permits.clone(), task, action, config, listen));
    }

    /// A job ended: what it did and what it saw.
    pub(super) fn take_in(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        let finished = match finished {
            Ok(finished) => finished,
            // Jobs catch panics themselves, and are aborted only when the worker ends.
            Err(error) => return tracing::error!(%error, "a job of the runtime was lost"),
        };
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let task = finished.task;
        let Some(slot) = self.slots.get_mut(&task) else { return };
        slot.memory.last_lines = finished.last_lines;
        slot.rest(finished.acted, now);
        match finished.observed {
            Ok(observed) => {
                slot.see(observed, wall, now);
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
