//! Judges how far a service is: pure, from one look after the other. Decides what is worth a line, and whether it can still get there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_types::{RestartCondition, TaskId, TaskState, UpdateState, Version};

use super::summary;
use crate::failure::Failure;
use crate::model::{ServiceView, TaskView};
use crate::render::row::{service_warning as warning, task_error};

/// So often a place may fail before it is given up.
const FAILURES: usize = 3;
/// So long tasks may wait for a node before that is called impossible.
const PATIENCE: Duration = Duration::from_secs(10);
/// A global service has no tasks until the managers looked at the nodes.
const FIRST_TASKS: Duration = Duration::from_secs(2);
/// Above this many tasks not each one gets a line.
const MANY: u64 = 20;

/// What is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    /// The service.
    pub(crate) name: String,
    /// Tasks of older specs do not count: set when the task template changed.
    pub(crate) floor: Option<Version>,
    /// Tasks that ended before the command: not its failures.
    pub(crate) ended: BTreeSet<TaskId>,
}

/// What was seen so far.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    goal: Goal,
    seen: BTreeMap<TaskId, (TaskState, String)>,
    /// Ended tasks by place.
    failures: BTreeMap<String, Vec<TaskId>>,
    /// Whether a new task ever ran.
    ran: bool,
    /// Since when some tasks only wait for a node.
    stuck: Option<Duration>,
    /// The last count that had a line, and whether there was a look at all.
    counted: Option<(u64, u64)>,
    blind: bool,
    /// What the last look had to warn of, and what was said of it.
    troubles: BTreeSet<String>,
    warned: BTreeSet<String>,
}

/// What one look showed.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Tasks that run and count.
    pub(crate) running: u64,
    /// Tasks that should.
    pub(crate) goal: u64,
    /// What is worth a line each.
    pub(crate) lines: Vec<String>,
    /// What is not as it should be, though nobody waits for it.
    pub(crate) warnings: Vec<String>,
    /// What a live line says beside the count.
    pub(crate) now: String,
    pub(crate) verdict: Verdict,
    /// Why tasks wait for a node.
    pending: Vec<String>,
    /// How tasks ended.
    ended: Vec<String>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Going,
    Reached,
    Cannot(Failure),
}

impl Progress {
    pub(crate) fn new(goal: Goal) -> Self {
        Self {
            goal,
            seen: BTreeMap::new(),
            failures: BTreeMap::new(),
            ran: false,
            stuck: None,
            counted: None,
            blind: false,
            troubles: BTreeSet::new(),
            warned: BTreeSet::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.goal.name
    }

    /// A look at the service.
    pub(crate) fn look(&mut self, service: &ServiceView, tasks: &[TaskView], elapsed: Duration) -> Step {
        let wanted: Vec<&TaskView> = tasks.iter().filter(|view| view.task.is_wanted()).collect();
        let running =
            wanted.iter().filter(|view| view.task.status.state == TaskState::Running && self.counts(service, view)).count() as u64;
        let goal = service.goal();
        let lines = self.changes(tasks, running, goal);
        let warnings = self.warnings(service);
        let pending = summary::pending(&wanted);
        let ended = summary::ended(tasks, &self.failures);
        let reached = running == goal && wanted.len() as u64 == goal && (goal > 0 || elapsed >= FIRST_TASKS || self.is_replicated(service));
        let verdict = if reached {
            Verdict::Reached
        } else if self.is_over(service, &wanted) {
            Verdict::Cannot(summary::failing(&self.goal.name, (running, goal), &ended))
        } else {
            self.hopeless(tasks, &wanted, &pending, &ended, (running, goal), elapsed)
        };
        let now = summary::now(&wanted, &pending);
        self.blind = false;
        Step { running, goal, lines, warnings, now, verdict, pending, ended }
    }

    /// There is nobody to ask just now.
    pub(crate) fn blind(&mut self, failure: &Failure) -> Step {
        let lines = if self.blind { Vec::new() } else { vec![format!("{}: {}; trying again", self.goal.name, failure.what)] };
        self.blind = true;
        let (running, goal) = self.counted.unwrap_or_default();
        let now = failure.what.clone();
        Step { running, goal, lines, warnings: Vec::new(), now, verdict: Verdict::Going, pending: Vec::new(), ended: Vec::new() }
    }

    /// The failure when the deadline passed: for want of a node, for failing tasks, or just for time.
    pub(crate) fn late(&self, step: &Step, elapsed: Duration) -> Failure {
        let name = &self.goal.name;
        if !step.pending.is_empty() {
            summary::unplaceable(name, (step.running, step.goal), &step.pending)
        } else if !step.ended.is_empty() {
            summary::failing(name, (step.running, step.goal), &step.ended)
        } else {
            summary::timeout(name, (step.running, step.goal), &step.now, elapsed)
        }
    }

    fn is_replicated(&self, service: &ServiceView) -> bool {
        matches!(service.service.spec.mode, cluster_types::ServiceMode::Replicated { .. })
    }

    /// Whether nothing more will come: tasks have ended, the service never restarts them, and no other is on its way.
    fn is_over(&self, service: &ServiceView, wanted: &[&TaskView]) -> bool {
        let never = service.service.spec.task.restart.condition == RestartCondition::None;
        never && !self.failures.is_empty() && wanted.iter().all(|view| view.task.status.state >= TaskState::Running)
    }

    /// Whether a task is of the spec that is waited for. A finished rollout has judged that its tasks are.
    fn counts(&self, service: &ServiceView, view: &TaskView) -> bool {
        let Some(floor) = self.goal.floor else { return true };
        let update = service.service.update.as_ref();
        let rolled_out = update.is_some_and(|update| update.state == UpdateState::Completed && update.target >= floor);
        view.task.spec_version >= floor || rolled_out
    }

    /// Addresses and ports that the service did not get, each once. What only one look sees may be of the spec before.
    fn warnings(&mut self, service: &ServiceView) -> Vec<String> {
        let now: BTreeSet<String> = service.troubles().map(str::to_owned).collect();
        let before = std::mem::replace(&mut self.troubles, now);
        let lasting: Vec<String> = self.troubles.intersection(&before).filter(|trouble| !self.warned.contains(*trouble)).cloned().collect();
        self.warned.extend(lasting.iter().cloned());
        lasting.iter().map(|trouble| warning(&self.goal.name, trouble)).collect()
    }

    /// Notes what changed since the last look, and says what of it is worth a line.
    fn changes(&mut self, tasks: &[TaskView], running: u64, goal: u64) -> Vec<String> {
        let first = self.counted.is_none();
        let mut lines = Vec::new();
        for view in tasks {
            let now = (view.task.status.state, task_error(view));
            let before = self.seen.insert(view.task.id, now.clone());
            if before.as_ref() == Some(&now) || self.goal.ended.contains(&view.task.id) {
                continue;
            }
            let older = self.goal.floor.is_some_and(|floor| view.task.spec_version < floor);
            if !older {
                self.note(view);
            }
            let known = first && now.0 == TaskState::Running;
            if !known && (goal <= MANY || !now.1.is_empty()) {
                lines.extend(summary::line(view));
            }
        }
        if self.counted != Some((running, goal)) && self.worth(running, goal) {
            lines.push(format!("{}: {running}/{goal} running", self.goal.name));
            self.counted = Some((running, goal));
        }
        lines
    }

    /// A large service gets a count for each tenth of its tasks.
    fn worth(&self, running: u64, goal: u64) -> bool {
        let Some((last, last_goal)) = self.counted else { return true };
        goal <= MANY || last_goal != goal || running == goal || running.abs_diff(last) >= goal / 10
    }

    fn note(&mut self, view: &TaskView) {
        match view.task.status.state {
            TaskState::Running => self.ran = true,
            TaskState::Failed | TaskState::Rejected | TaskState::Complete => {
                let ended = self.failures.entry(view.name()).or_default();
                if !ended.contains(&view.task.id) {
                    ended.push(view.task.id);
                }
            }
            _ => {}
        }
    }

    /// Whether it cannot get there any more: nothing is on its way, and what is not has failed often enough or waits for a node too long.
    fn hopeless(
        &mut self,
        tasks: &[TaskView],
        wanted: &[&TaskView],
        pending: &[String],
        ended: &[String],
        count: (u64, u64),
        elapsed: Duration,
    ) -> Verdict {
        let name = &self.goal.name;
        let running = |place: &String| tasks.iter().any(|view| view.task.status.state == TaskState::Running && view.name() == *place);
        let given_up = self.failures.iter().any(|(place, ended)| ended.len() >= FAILURES && !running(place));
        let none_ever_ran = !self.ran && self.failures.values().map(Vec::len).sum::<usize>() >= FAILURES;
        if given_up || none_ever_ran {
            return Verdict::Cannot(summary::failing(name, count, ended));
        }
        let on_their_way = wanted.iter().any(|view| (TaskState::Assigned..TaskState::Running).contains(&view.task.status.state));
        if pending.is_empty() || on_their_way {
            self.stuck = None;
            return Verdict::Going;
        }
        let since = *self.stuck.get_or_insert(elapsed);
        let over = elapsed.saturating_sub(since) >= PATIENCE;
        if over { Verdict::Cannot(summary::unplaceable(name, count, pending)) } else { Verdict::Going }
    }
}
