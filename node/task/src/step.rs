//! One step of a task: judge what is observed, then steer towards what is wanted.
//!
//! What always holds: the state only moves forward; a task that has ended is never started again, also when its container is gone; an
//! action is asked for only after the memory says so, hence a crash between any two actions leads to the same end.

use std::time::Duration;

use cluster_types::{Check, ContainerPhase, DesiredState, Observed, TaskAssignment, TaskState, TaskStatus, Timestamp, bug};

use crate::{Action, TaskMemory, probe};

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What to remember from here on. Saved before the action is carried out where [`Action::needs_memory_saved`].
    pub memory: TaskMemory,
    /// The status to report, when it changed.
    pub status: Option<TaskStatus>,
    /// What to ask the runtime. Its outcome goes to [`TaskMemory::record`], then the container is observed and stepped again.
    pub action: Option<Action>,
    /// The probe to run, beside whatever else happens. What it says goes to [`TaskMemory::record_probe`], then it is stepped again.
    pub probe: Option<Check>,
    /// Step again then, though nothing was observed; a moment not after `now` means at once.
    pub wake_at: Option<Timestamp>,
    /// Nobody wants the task and nothing is left of it: its memory may go.
    pub forgotten: bool,
}

/// The next step of a task. No `assignment` means that the managers have forgotten the task: its container is stopped and removed.
/// `now` is the host's clock.
#[must_use]
pub fn step(assignment: Option<&TaskAssignment>, observed: &Observed, memory: &TaskMemory, now: Timestamp) -> Step {
    let mut memory = memory.clone();
    let before = memory.status.clone();
    judge(observed, &mut memory, now);
    let wanted = assignment.map_or(DesiredState::Remove, |assignment| assignment.desired);
    let next = steer(wanted, observed.phase, &mut memory, now);
    let (action, probe, wake_at) = match next {
        Next::Rest => {
            let (probe, wake_at) = probe::next(observed, &mut memory, now);
            (None, probe, wake_at)
        }
        Next::Again => (None, None, Some(now)),
        Next::Act(action) => throttle(action, &memory, now),
    };
    let forgotten = assignment.is_none() && observed.phase == ContainerPhase::Absent;
    Step { status: (memory.status != before).then(|| memory.status.clone()), memory, action, probe, wake_at, forgotten }
}

enum Next {
    Rest,
    Again,
    Act(Action),
}

/// What the observation says about the status.
fn judge(observed: &Observed, memory: &mut TaskMemory, now: Timestamp) {
    let state = memory.status.state;
    if state.is_terminal() {
        return;
    }
    let at = if observed.at == Timestamp::default() { now } else { observed.at };
    let started = !bug!(StartsAgain) && (state == TaskState::Running || (state == TaskState::Starting && memory.rebooted));
    match observed.phase {
        ContainerPhase::Running => {
            memory.rebooted = false;
            memory.status.container = Some(observed.container.clone());
            match memory.lives(&observed.checks) {
                true => memory.advance(TaskState::Running, "started", if observed.checks.health.is_some() { now } else { at }),
                false => memory.advance(TaskState::Starting, "starting", at),
            }
        }
        ContainerPhase::Exited => {
            memory.status.container = Some(observed.container.clone());
            ended(observed, memory, at);
        }
        ContainerPhase::Prepared if started => lost(memory, now),
        ContainerPhase::Prepared if state >= TaskState::Accepted => memory.advance(TaskState::Ready, "prepared", now),
        ContainerPhase::Prepared => {}
        ContainerPhase::Absent if state >= TaskState::Starting && !bug!(StartsAgain) => lost(memory, now),
        ContainerPhase::Absent => {}
    }
}

/// The container's process ended.
fn ended(observed: &Observed, memory: &mut TaskMemory, at: Timestamp) {
    let code = observed.container.exit_code;
    if memory.is_unhealthy() {
        return unhealthy(memory, at);
    }
    if memory.stop_asked {
        return memory.end(TaskState::Shutdown, "stopped", None, at);
    }
    if code == Some(0) && observed.error.is_none() {
        return memory.end(TaskState::Complete, "finished", None, at);
    }
    let error = match (&observed.error, code) {
        (Some(error), _) => error.clone(),
        (None, _) if observed.container.oom_killed => "killed by the kernel: it used more memory than its limit".to_owned(),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) if memory.rebooted => "the host restarted".to_owned(),
        (None, None) => "it ended, and its exit code is not known".to_owned(),
    };
    memory.end(TaskState::Failed, "failed", Some(error), at);
}

/// It was stopped for its health, and has ended. Not before: its address is still its own until then.
fn unhealthy(memory: &mut TaskMemory, at: Timestamp) {
    let error = memory.unhealthy_error();
    memory.end(TaskState::Failed, "failed", Some(error), at);
}

/// The container was started, and now there is none.
fn lost(memory: &mut TaskMemory, now: Timestamp) {
    if memory.is_unhealthy() {
        return unhealthy(memory, now);
    }
    if memory.stop_asked {
        return memory.end(TaskState::Shutdown, "stopped", None, now);
    }
    let error = if memory.rebooted { "container lost: the host restarted" } else { "container lost" };
    memory.end(TaskState::Failed, "failed", Some(error.to_owned()), now);
}

/// What brings the task nearer to what is wanted.
fn steer(wanted: DesiredState, phase: ContainerPhase, memory: &mut TaskMemory, now: Timestamp) -> Next {
    if wanted > DesiredState::Running && phase != ContainerPhase::Running {
        memory.end(TaskState::Shutdown, "stopped before it started", None, now);
    }
    if memory.status.state.is_terminal() {
        return tidy(wanted, phase, memory);
    }
    if wanted > DesiredState::Running {
        return stop(memory);
    }
    start(wanted, phase, memory, now)
}

/// The task has ended: nothing of it may run, and what is left stays for its logs until nobody wants them.
fn tidy(wanted: DesiredState, phase: ContainerPhase, memory: &mut TaskMemory) -> Next {
    match phase {
        ContainerPhase::Absent => Next::Rest,
        ContainerPhase::Running => stop(memory),
        ContainerPhase::Prepared => Next::Act(Action::Remove),
        ContainerPhase::Exited if wanted == DesiredState::Remove => Next::Act(Action::Remove),
        ContainerPhase::Exited => Next::Rest,
    }
}

fn stop(memory: &mut TaskMemory) -> Next {
    memory.stop_asked = true;
    Next::Act(Action::Stop)
}

/// The task is wanted, ready or running, and has not ended.
fn start(wanted: DesiredState, phase: ContainerPhase, memory: &mut TaskMemory, now: Timestamp) -> Next {
    if memory.status.state < TaskState::Accepted {
        memory.advance(TaskState::Accepted, "accepted", now);
        return Next::Again;
    }
    match phase {
        ContainerPhase::Absent => {
            memory.advance(TaskState::Preparing, "preparing", now);
            Next::Act(Action::Prepare)
        }
        ContainerPhase::Prepared if wanted == DesiredState::Running => {
            memory.advance(TaskState::Starting, "starting", now);
            Next::Act(Action::Start)
        }
        ContainerPhase::Running if memory.is_unhealthy() => stop(memory),
        ContainerPhase::Prepared | ContainerPhase::Running | ContainerPhase::Exited => Next::Rest,
    }
}

/// Holds an action back that was tried a moment ago without progress.
fn throttle(action: Action, memory: &TaskMemory, now: Timestamp) -> (Option<Action>, Option<Check>, Option<Timestamp>) {
    match memory.attempt {
        Some(attempt) if attempt.action == action && attempt.not_before.since(now) > Duration::ZERO => {
            (None, None, Some(attempt.not_before))
        }
        Some(_) | None => (Some(action), None, None),
    }
}

#[cfg(test)]
mod tests;
