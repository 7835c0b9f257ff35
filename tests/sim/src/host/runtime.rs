//! The containers of a machine. They live without the agent, and end with the machine's power.
//!
//! How a container behaves follows from its image: `crash` ends with code 1 after a while, `done` with 0, `bad` cannot be started, `lost`
//! has no image in any registry; others run until they are stopped. One with checks fails them for a moment after its start, and while it is
//! ill. When the trouble ends, all images are good ones and nobody is ill.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_seeds::Chance;
use cluster_task::{Outcome, Verdict};
use cluster_types::{Checks, ContainerPhase, ContainerSpec, ContainerStatus, Observed, TaskAssignment, TaskId, Timestamp};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Runtime {
    containers: BTreeMap<TaskId, Container>,
    /// How often each task's container was started, over all its lives.
    starts: BTreeMap<TaskId, u64>,
    /// Whether no registry answers.
    pub(crate) has_no_images: bool,
}

/// One container.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) assignment: Arc<TaskAssignment>,
    pub(crate) observed: Observed,
    pub(crate) is_stopping: bool,
    /// It fails its checks until then, in virtual time.
    ill_until: u64,
}

/// What a container does by itself once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Runs,
    /// It ends after so many milliseconds.
    Ends(u64, i32),
}

impl Runtime {
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.containers.keys().copied()
    }

    pub(crate) fn get(&self, task: TaskId) -> Option<&Container> {
        self.containers.get(&task)
    }

    pub(crate) fn observe(&self, task: TaskId) -> Observed {
        self.containers.get(&task).map(|container| container.observed.clone()).unwrap_or_default()
    }

    /// The containers that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = (TaskId, &Container)> {
        let runs = |(_, container): &(&TaskId, &Container)| container.observed.phase == ContainerPhase::Running;
        self.containers.iter().filter(runs).map(|(task, container)| (*task, container))
    }

    pub(crate) fn starts(&self, task: TaskId) -> u64 {
        self.starts.get(&task).copied().unwrap_or_default()
    }

    /// Fetches the image and makes the root file system.
    pub(crate) fn prepare(&mut self, assignment: Option<&Arc<TaskAssignment>>, all_good: bool) -> (Outcome, bool) {
        let Some(assignment) = assignment else { return (Outcome::Done, false) };
        if self.containers.contains_key(&assignment.task) {
            return (Outcome::Done, false);
        }
        let image = &assignment.spec.container.image;
        if !all_good && (image.starts_with("lost") || self.has_no_images) {
            return (Outcome::Rejected(format!("there is no image {image}")), self.has_no_images);
        }
        let observed = Observed { phase: ContainerPhase::Prepared, at: Timestamp(1), ..Observed::default() };
        self.containers.insert(assignment.task, Container { assignment: assignment.clone(), observed, is_stopping: false, ill_until: 0 });
        (Outcome::Done, false)
    }

    /// Starts a prepared container. What it will do, when it was really started now.
    pub(crate) fn start(&mut self, task: TaskId, all_good: bool, now: Timestamp, chance: &mut Chance) -> (Outcome, Option<Fate>) {
        let Some(container) = self.containers.get_mut(&task) else { return (Outcome::Failed("there is no container".to_owned()), None) };
        if container.observed.phase != ContainerPhase::Prepared {
            return (Outcome::Done, None);
        }
        let image = container.assignment.spec.container.image.clone();
        if !all_good && image.starts_with("bad") {
            return (Outcome::Failed("it cannot be started".to_owned()), None);
        }
        let status = ContainerStatus { pid: Some(1), ..ContainerStatus::default() };
        let checks = checks(&container.assignment.spec.container);
        container.observed = Observed { phase: ContainerPhase::Running, container: status, at: now, error: None, checks };
        *self.starts.entry(task).or_default() += 1;
        let fate = match image.split(':').next() {
            Some("crash") if !all_good => Fate::Ends(chance.within(1..=6_000), 1),
            Some("done") => Fate::Ends(chance.within(1..=20_000), 0),
            Some(_) | None => Fate::Runs,
        };
        (Outcome::Done, Some(fate))
    }

    /// What a check says of a container now.
    pub(crate) fn probe(&self, task: TaskId, now: u64) -> Verdict {
        match self.containers.get(&task).filter(|container| container.observed.phase == ContainerPhase::Running) {
            Some(container) if now < container.ill_until => Verdict::Failed("it is ill".to_owned()),
            Some(_) => Verdict::Passed(String::new()),
            None => Verdict::Unknown,
        }
    }

    /// The running containers that have a check.
    pub(crate) fn checked(&self) -> Vec<TaskId> {
        self.running().filter(|(_, container)| *container.observed.checks != Checks::default()).map(|(task, _)| task).collect()
    }

    /// A container fails its checks until then.
    pub(crate) fn sicken(&mut self, task: TaskId, until: u64) {
        if let Some(container) = self.containers.get_mut(&task) {
            container.ill_until = until;
        }
    }

    /// Nobody is ill any more.
    pub(crate) fn cure(&mut self) {
        self.containers.values_mut().for_each(|container| container.ill_until = 0);
    }

    /// Asks a container to stop. Whether it runs.
    pub(crate) fn stop(&mut self, task: TaskId) -> bool {
        let Some(container) = self.containers.get_mut(&task) else { return false };
        container.is_stopping = true;
        container.observed.phase == ContainerPhase::Running
    }

    pub(crate) fn remove(&mut self, task: TaskId) -> bool {
        let runs = self.containers.get(&task).is_some_and(|container| container.observed.phase == ContainerPhase::Running);
        self.containers.remove(&task);
        runs
    }

    /// A container ends. Whether it ran.
    pub(crate) fn exit(&mut self, task: TaskId, code: i32, now: Timestamp) -> bool {
        let Some(container) = self.containers.get_mut(&task) else { return false };
        if container.observed.phase != ContainerPhase::Running {
            return false;
        }
        let status = ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() };
        container.observed = Observed { phase: ContainerPhase::Exited, container: status, at: now, error: None, checks: Arc::default() };
        true
    }

    /// The power goes: of some containers the end is not known, of some nothing is left. The tasks that ran.
    pub(crate) fn lose_power(&mut self, chance: &mut Chance) -> Vec<TaskId> {
        let running: Vec<TaskId> = self.running().map(|(task, _)| task).collect();
        for task in &running {
            let Some(container) = self.containers.get_mut(task) else { continue };
            match chance.below(4) {
                0 => drop(self.containers.remove(task)),
                1 => container.observed = Observed { phase: ContainerPhase::Prepared, at: Timestamp(1), ..Observed::default() },
                _ => container.observed = Observed { phase: ContainerPhase::Exited, ..Observed::default() },
            }
        }
        running
    }

    /// The machine's disk is new.
    pub(crate) fn clear(&mut self) {
        self.containers.clear();
    }
}

fn checks(spec: &ContainerSpec) -> Arc<Checks> {
    let readiness = spec.readiness.as_ref().and_then(|readiness| readiness.resolve(None));
    Arc::new(Checks { health: spec.health.resolve(None), readiness })
}
