//! What an agent holds of one task, and one turn of it: whether its container is looked at first, and else what is to be saved, told and
//! done. It carries nothing out: the agent's worker does, and the simulation's.

use std::sync::Arc;

use cluster_types::{Check, DesiredState, Observed, TaskAssignment, TaskState, TaskStatus, Timestamp};

use crate::{Action, Outcome, TaskMemory, Verdict, step};

/// One task of a node.
#[derive(Debug, Default)]
pub struct Slot {
    /// None when nobody wants the task any more.
    pub assignment: Option<Arc<TaskAssignment>>,
    /// What is remembered of it.
    pub memory: TaskMemory,
    /// What was last seen of its container, in the agent's time.
    pub observed: Observed,
    /// When that began by the host's clock.
    began: Timestamp,
    /// The container must be looked at before the next step.
    pub stale: bool,
    /// What the runtime is doing for it now.
    pub busy: Option<Busy>,
    /// When it has its next turn though nothing happens.
    pub wake_at: Option<Timestamp>,
    /// The memory changed since it was last reported and written.
    changed: bool,
}

/// What the runtime does for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// It looks at the container.
    Looking,
    /// It carries an action out.
    Acting(Action),
}

/// What comes of a turn. All empty: there is nothing to do now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The container is to be looked at; nothing else is to be done before.
    pub look: bool,
    /// The memory is to be written.
    pub remember: bool,
    /// The status to report.
    pub report: Option<TaskStatus>,
    /// Nobody wants the task and nothing is left of it: the slot may go.
    pub forgotten: bool,
    /// What to ask the runtime, once the memory is written where [`Action::needs_memory_saved`].
    pub action: Option<Action>,
    /// The probe to run, beside whatever else happens.
    pub probe: Option<Check>,
}

impl Slot {
    /// A task that may have a container, of which nothing is known.
    #[must_use]
    pub fn unseen() -> Self {
        Self { stale: true, ..Self::default() }
    }

    /// A task of an earlier life of the agent, which has a container when that is `present`.
    #[must_use]
    pub fn adopted(assignment: Option<Arc<TaskAssignment>>, memory: TaskMemory, present: bool) -> Self {
        Self { assignment, memory, stale: present, ..Self::default() }
    }

    /// Remembers that the host restarted; whether that matters to the task.
    pub fn mark_rebooted(&mut self) -> bool {
        let ran = (TaskState::Starting..=TaskState::Running).contains(&self.memory.status.state);
        self.memory.rebooted |= ran;
        ran
    }

    /// Steps the task, unless the runtime is busy with it or its container must be looked at first.
    pub fn turn(&mut self, now: Timestamp) -> Turn {
        self.wake_at = None;
        match self.busy {
            // The end of what it does makes it ready again.
            Some(busy) if !self.ends_while_preparing(busy) => return Turn::default(),
            None if self.stale => {
                (self.busy, self.stale) = (Some(Busy::Looking), false);
                return Turn { look: true, ..Turn::default() };
            }
            Some(_) | None => {}
        }
        let asked_before = self.memory.stop_asked;
        let next = loop {
            let next = step(self.assignment.as_deref(), &self.observed, &self.memory, now);
            self.memory = next.memory.clone();
            self.changed |= next.status.is_some();
            if next.action.is_some() || next.probe.is_some() || next.wake_at.is_none_or(|at| at > now) {
                break next;
            }
        };
        let changed = std::mem::take(&mut self.changed);
        let report = (changed && self.assignment.is_some()).then(|| self.memory.status.clone());
        let told = Turn { remember: changed || self.memory.stop_asked != asked_before, report, ..Turn::default() };
        if self.busy.is_some() || next.forgotten {
            return Turn { forgotten: self.busy.is_none(), ..told };
        }
        (self.busy, self.wake_at) = (next.action.map(Busy::Acting), next.wake_at);
        Turn { action: next.action, probe: next.probe, ..told }
    }

    /// The runtime is no longer busy with the task: how the action went, if it was not a look.
    pub fn rest(&mut self, acted: Option<(Action, Outcome)>, now: Timestamp) {
        self.busy = None;
        if let Some((action, outcome)) = acted {
            let before = self.memory.status.state;
            self.memory.record(action, outcome, now);
            self.changed |= self.memory.status.state != before;
        }
    }

    /// The container was looked at, at `now`, when the host's clock said `wall`. What it has been since is told by that clock, which somebody may
    /// set: it is taken into the agent's time once, when it is new.
    pub fn see(&mut self, observed: Observed, wall: Timestamp, now: Timestamp) {
        let at = if observed.at == self.began { self.observed.at } else { observed.at.shifted(wall, now) };
        self.began = observed.at;
        self.observed = Observed { at, ..observed };
    }

    /// A probe ended.
    pub fn probed(&mut self, check: Check, verdict: &Verdict, now: Timestamp) {
        self.changed |= self.memory.record_probe(check, verdict, now);
    }

    /// A task that is no longer wanted ends at once, even while its image is still being fetched: nobody waits for a download.
    fn ends_while_preparing(&self, busy: Busy) -> bool {
        let unwanted = self.assignment.as_ref().is_none_or(|assignment| assignment.desired > DesiredState::Running);
        busy == Busy::Acting(Action::Prepare) && unwanted
    }
}

#[cfg(test)]
mod tests;
