//! Judges how far a service is: pure, from one look after the other. Decides what is worth a line, and whether it can still get there.
//! What an update's status and a job's runs say about that is in the files beside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_types::{FailureAction, RestartCondition, ServiceMode, TaskId, TaskState, UpdateState, Version};

use super::summary;
use super::{job, rollout};
use crate::failure::Failure;
use crate::model::{ServiceView, TaskView};
use crate::render::row::{service_warning as warning, task_error};

/// So often a place may fail before it is given up.
const FAILURES: usize = 3;
/// So long tasks may wait for a node before that is called impossible.
const PATIENCE: Duration = Duration::from_secs(10);
/// The managers have looked at a change after this time: a global service has its tasks, and an update that has anything to replace a status.
const LOOKED: Duration = Duration::from_secs(2);
/// Above this many tasks not each one gets a line.
const MANY: u64 = 20;

/// What is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Goal {
    /// The service.
    pub(crate) name: String,
    /// The spec version that the command made.
    pub(crate) version: Version,
    /// Tasks of older specs do not count: set when the task template changed.
    pub(crate) floor: Option<Version>,
    /// Tasks that ended before the command: not its failures.
    pub(crate) ended: BTreeSet<TaskId>,
    /// The command asked for a rollback: one that completes is no failure.
    pub(crate) rollback: bool,
    /// The command asked for a run of a job: the first one that counts.
    pub(crate) run: Option<u64>,
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
    /// Since when all tasks run, though no update of the change is known.
    idle: Option<Duration>,
    /// The last count that had a line, and whether there was a look at all.
    counted: Option<(u64, u64)>,
    blind: bool,
    /// The last state of the update that had a line.
    update: Option<UpdateState>,
    /// What the last look had to warn of, and what was said of it.
    troubles: BTreeSet<String>,
    warned: BTreeSet<String>,
}

/// What one look showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    /// Tasks that run, or completed, and count.
    pub(crate) running: u64,
    /// Tasks that should.
    pub(crate) goal: u64,
    /// What they should: `running` or `completed`.
    pub(crate) unit: &'static str,
    /// What is worth a line each.
    pub(crate) lines: Vec<String>,
    /// What is not as it should be, though nobody waits for it.
    pub(crate) warnings: Vec<String>,
    /// What a live line says beside the count.
    pub(crate) now: String,
    /// What the last line says beside the count.
    pub(crate) remark: String,
    pub(crate) verdict: Verdict,
    /// Why tasks wait for a node.
    pub(super) pending: Vec<String>,
    /// How tasks ended.
    pub(super) ended: Vec<String>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Verdict {
    #[default]
    Going,
    Reached,
    /// What was waited for is there, though it is not that all tasks run: this is said instead, and then what to do next.
    Ended(String, Option<String>),
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
            idle: None,
            counted: None,
            blind: false,
            update: None,
            troubles: BTreeSet::new(),
            warned: BTreeSet::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.goal.name
    }

    /// A look at the service.
    pub(crate) fn look(&mut self, service: &ServiceView, tasks: &[TaskView], elapsed: Duration) -> Step {
        let is_job = service.spec().mode.is_job();
        let wanted: Vec<&TaskView> = tasks.iter().filter(|view| view.task.is_wanted()).collect();
        let (running, goal) = if is_job { service.completions } else { (self.running(service, &wanted, elapsed), service.goal()) };
        let unit = if is_job { "completed" } else { "running" };
        let lines = self.changes(service, tasks, (running, goal), unit);
        let warnings = self.warnings(service);
        let (pending, ended) = (summary::pending(&wanted), summary::ended(tasks, &self.failures));
        let (now, remark) = (summary::now(&wanted, &pending), rollout::remark(service, &self.goal).to_owned());
        let mut step = Step { running, goal, unit, lines, warnings, now, remark, pending, ended, ..Step::default() };
        step.verdict = self.verdict(service, tasks, &wanted, &step, elapsed);
        self.blind = false;
        step
    }

    fn verdict(&mut self, service: &ServiceView, tasks: &[TaskView], wanted: &[&TaskView], step: &Step, elapsed: Duration) -> Verdict {
        let name = self.goal.name.clone();
        let said = if service.spec().mode.is_job() {
            job::verdict(service, &self.goal, step, elapsed)
        } else {
            rollout::verdict(service, &self.goal, step)
        };
        if let Some(verdict) = said {
            return verdict;
        }
        let (running, goal) = (step.running, step.goal);
        let first = goal > 0 || elapsed >= LOOKED || matches!(service.spec().mode, ServiceMode::Replicated { .. });
        let is_waited = service.spec().mode.is_job() || rollout::of(service, &self.goal).is_some_and(|update| update.state.is_running());
        if running == goal && wanted.len() as u64 == goal && first && !is_waited {
            Verdict::Reached
        } else if !service.spec().mode.is_job() && self.is_over(service, wanted) {
            Verdict::Cannot(summary::failing(&name, (running, goal), &step.ended))
        } else {
            self.hopeless(service, tasks, wanted, step, elapsed)
        }
    }

    /// There is nobody to ask just now.
    pub(crate) fn blind(&mut self, failure: &Failure) -> Step {
        let lines = if self.blind { Vec::new() } else { vec![format!("{}: {}; trying again", self.goal.name, failure.what)] };
        (self.blind, self.idle) = (true, None);
        let (running, goal) = self.counted.unwrap_or_default();
        Step { running, goal, unit: "running", lines, now: failure.what.clone(), ..Step::default() }
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

    /// Whether nothing more will come: tasks have ended, the service never restarts them, and no other is on its way.
    fn is_over(&self, service: &ServiceView, wanted: &[&TaskView]) -> bool {
        let never = service.spec().task.restart.condition == RestartCondition::None;
        never && !self.failures.is_empty() && wanted.iter().all(|view| view.task.status.state >= TaskState::Running)
    }

    /// How many tasks serve and are of what is waited for. When no update begins though all serve, there was nothing to replace.
    fn running(&mut self, service: &ServiceView, wanted: &[&TaskView], elapsed: Duration) -> u64 {
        let serving = || wanted.iter().filter(|view| view.task.status.is_serving());
        let all = serving().count() as u64;
        let quiet = rollout::of(service, &self.goal).is_none() && all == service.goal();
        let since = if quiet { *self.idle.get_or_insert(elapsed) } else { elapsed };
        self.idle = self.idle.filter(|_| quiet);
        if quiet && elapsed.saturating_sub(since) >= LOOKED {
            return all;
        }
        serving().filter(|view| rollout::counts(service, &self.goal, view)).count() as u64
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
    fn changes(&mut self, service: &ServiceView, tasks: &[TaskView], (running, goal): (u64, u64), unit: &str) -> Vec<String> {
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
                self.note(view, service.spec().mode.is_job());
            }
            let known = first && view.task.status.is_serving();
            if !known && (goal <= MANY || !now.1.is_empty()) {
                lines.extend(summary::line(view));
            }
        }
        let update = rollout::of(service, &self.goal);
        if update.is_some_and(|update| self.update.replace(update.state) != Some(update.state)) {
            lines.extend(update.and_then(|update| summary::update(&self.goal, update)));
        }
        if self.counted != Some((running, goal)) && self.worth(running, goal) {
            lines.push(format!("{}: {running}/{goal} {unit}", self.goal.name));
            self.counted = Some((running, goal));
        }
        lines
    }

    /// A large service gets a count for each tenth of its tasks.
    fn worth(&self, running: u64, goal: u64) -> bool {
        let Some((last, last_goal)) = self.counted else { return true };
        goal <= MANY || last_goal != goal || running == goal || running.abs_diff(last) >= goal / 10
    }

    fn note(&mut self, view: &TaskView, is_job: bool) {
        match view.task.status.state {
            TaskState::Running => self.ran = true,
            TaskState::Complete if is_job => self.ran = true,
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
    fn hopeless(&mut self, service: &ServiceView, tasks: &[TaskView], wanted: &[&TaskView], step: &Step, elapsed: Duration) -> Verdict {
        let (name, count) = (&self.goal.name, (step.running, step.goal));
        let running = |place: &String| tasks.iter().any(|view| view.task.status.state == TaskState::Running && view.name() == *place);
        let given_up = self.failures.iter().any(|(place, ended)| ended.len() >= FAILURES && !running(place));
        let none_ever_ran = !self.ran && self.failures.values().map(Vec::len).sum::<usize>() >= FAILURES;
        // An update that judges its tasks itself is left to do so.
        let judged = rollout::of(service, &self.goal).is_some_and(|update| update.state.is_running())
            && service.spec().update.failure_action != FailureAction::Continue;
        if (given_up || none_ever_ran) && !judged {
            return Verdict::Cannot(summary::failing(name, count, &step.ended));
        }
        let on_their_way = wanted.iter().any(|view| (TaskState::Assigned..TaskState::Running).contains(&view.task.status.state));
        if step.pending.is_empty() || on_their_way {
            self.stuck = None;
            return Verdict::Going;
        }
        let since = *self.stuck.get_or_insert(elapsed);
        let over = elapsed.saturating_sub(since) >= PATIENCE;
        if over { Verdict::Cannot(summary::unplaceable(name, count, &step.pending)) } else { Verdict::Going }
    }
}
