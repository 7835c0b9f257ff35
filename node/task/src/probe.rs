//! When a container is asked how it is, and what follows from the answers. Called by the step; the agent's worker runs the probes.
//!
//! A *health* check says whether the container lives: its task is running from the first pass on, and one that fails too often is stopped.
//! A *readiness* check says whether it takes traffic, and stops nothing. There is one probe at a time for each container. How many probes
//! failed in a row does not survive the agent: what was said of the container does, so a restart forgives at most a few failures.

use std::time::Duration;

use cluster_types::{Check, Checks, ContainerPhase, HealthCheck, HealthState, Observed, TaskHealth, TaskState, Timestamp};

use crate::TaskMemory;

/// Shortest pause between two probes: an image may ask for less.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// What a probe said. The text is what it printed and why it failed, at most `limits::PROBE_BYTES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Passed(String),
    /// It is not.
    Failed(String),
    /// The probe could not be run, which says nothing of the container.
    Unknown,
}

/// The probes of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Probing {
    under_way: Option<UnderWay>,
    health: Course,
    readiness: Course,
}

/// A probe that runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UnderWay {
    check: Check,
    /// Whether a failure counts.
    counts: bool,
    retries: u32,
}

/// One check so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Course {
    /// The end of the last probe, or the container's start before the first.
    last: Option<Timestamp>,
    failures: u32,
    passed: bool,
}

impl Probing {
    fn course(&mut self, check: Check) -> &mut Course {
        match check {
            Check::Health => &mut self.health,
            Check::Readiness => &mut self.readiness,
        }
    }
}

/// The probe to run now, or when to look again; neither while one runs or none is called for.
pub(crate) fn next(observed: &Observed, memory: &mut TaskMemory, now: Timestamp) -> (Option<Check>, Option<Timestamp>) {
    let over = memory.status.state.is_terminal() || memory.stop_asked || memory.is_unhealthy();
    if observed.phase != ContainerPhase::Running || over || memory.probing.under_way.is_some() {
        return (None, None);
    }
    let all = [Check::Health, Check::Readiness].into_iter().filter_map(|check| Some((check, observed.checks.of(check)?)));
    let first = all.map(|(check, how)| (due(check, how, observed.at, memory, now), check, how)).min_by_key(|(at, check, _)| (*at, *check));
    let Some((at, check, how)) = first else { return (None, None) };
    if at > now {
        return (None, Some(at));
    }
    let counts = memory.has_passed(check) || now >= observed.at.plus(grace(how));
    memory.probing.under_way = Some(UnderWay { check, counts, retries: how.retries });
    (Some(check), None)
}

/// When the next probe of a check is due. The host's clock may have been put back meanwhile: what seems to lie ahead is taken as now.
fn due(check: Check, how: &HealthCheck, started: Timestamp, memory: &mut TaskMemory, now: Timestamp) -> Timestamp {
    let passed = memory.has_passed(check);
    let course = memory.probing.course(check);
    let last = course.last.unwrap_or(started).min(now);
    course.last = Some(last);
    let hurried = !passed && last < started.plus(grace(how));
    let pause = if hurried { how.start_interval.min(how.interval) } else { how.interval };
    last.plus(pause.max(MIN_PAUSE))
}

/// Failures do not count for so long after the start. Docker's first probe comes a whole interval after it; here there are probes before,
/// so that a container which is soon healthy is soon known to be, and they must not make it fail any earlier.
fn grace(how: &HealthCheck) -> Duration {
    how.start_period.max(how.interval)
}

impl TaskMemory {
    /// Takes in what a probe said. Whether the status changed by it, and is to be reported.
    pub fn record_probe(&mut self, check: Check, verdict: &Verdict, now: Timestamp) -> bool {
        let Some(under_way) = self.probing.under_way.take_if(|under_way| under_way.check == check) else { return false };
        self.probing.course(check).last = Some(now);
        if self.status.state.is_terminal() || self.stop_asked {
            return false;
        }
        let before = self.status.health.clone();
        match verdict {
            Verdict::Passed(text) => self.passed(check, text),
            Verdict::Failed(text) if under_way.counts => self.failed(check, text, under_way.retries),
            Verdict::Failed(_) | Verdict::Unknown => {}
        }
        self.status.health != before
    }

    fn passed(&mut self, check: Check, text: &str) {
        *self.probing.course(check) = Course { failures: 0, passed: true, ..*self.probing.course(check) };
        let Some(health) = &mut self.status.health else { return };
        let before = (health.state, health.ready);
        match check {
            Check::Health => health.state = HealthState::Healthy,
            Check::Readiness => health.ready = true,
        }
        if before != (health.state, health.ready) {
            text.clone_into(&mut health.output);
        }
    }

    fn failed(&mut self, check: Check, text: &str, retries: u32) {
        let course = self.probing.course(check);
        course.failures = course.failures.saturating_add(1);
        let Some(health) = &mut self.status.health else { return };
        if course.failures < retries || (check == Check::Readiness && !health.ready) {
            return;
        }
        if check == Check::Health {
            health.state = HealthState::Unhealthy;
        }
        health.ready = false;
        text.clone_into(&mut health.output);
    }

    fn has_passed(&self, check: Check) -> bool {
        let said = self.status.health.as_ref();
        match check {
            Check::Health => said.is_some_and(|health| health.state == HealthState::Healthy),
            Check::Readiness => self.probing.readiness.passed || said.is_some_and(|health| health.ready),
        }
    }

    /// Whether it failed its health check, and is therefore stopped.
    #[must_use]
    pub fn is_unhealthy(&self) -> bool {
        self.status.health.as_ref().is_some_and(|health| health.state == HealthState::Unhealthy)
    }

    /// Whether a running container may be called running: it has no health check, or passed it.
    pub(crate) fn lives(&mut self, checks: &Checks) -> bool {
        if checks.health.is_none() && checks.readiness.is_none() {
            return true;
        }
        // A task that was called running without a word of its health keeps its traffic.
        let known = self.status.state == TaskState::Running;
        let alive = if checks.health.is_some() && !known { HealthState::Starting } else { HealthState::Healthy };
        let health = self.status.health.get_or_insert(TaskHealth { state: alive, ready: known, output: String::new() });
        let lives = health.state == HealthState::Healthy;
        if checks.readiness.is_none() {
            health.ready = lives;
        }
        lives
    }

    /// Why an unhealthy container was stopped.
    pub(crate) fn unhealthy_error(&self) -> String {
        let text = self.status.health.as_ref().map_or("", |health| health.output.as_str());
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("its health check failed");
        format!("unhealthy: {last}")
    }
}

#[cfg(test)]
mod tests;
