//! What every [`Runtime`] does, as a suite of cases: the fake runs it in its tests, the embedded runtime with real containers.
//!
//! A case returns what did not hold instead of panicking, so that the caller can say which runtime and which case it was.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{Check, ContainerPhase, ContainerSpec, Observed, ServiceId, TaskId, TaskSpec};
use futures::StreamExt as _;
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::{ContainerConfig, ContainerEvent, LogLine, LogOptions, ProbeOutcome, Runtime, RuntimeError};

/// Longest wait for something that must come. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The containers that the cases are made of. The runtime must be able to prepare all but `missing` without a network.
#[derive(Debug, Clone)]
pub struct SuiteImages {
    /// Runs until it is stopped, and ends on its stop signal with a code that is not 0.
    pub sleeper: ContainerSpec,
    /// Ends with code 7 at once.
    pub exits: ContainerSpec,
    /// Writes `one` and `two` to stdout and `three` to stderr, then runs on or ends.
    pub talker: ContainerSpec,
    /// Ignores its stop signal. Its grace period should be short.
    pub stubborn: ContainerSpec,
    /// Runs on; its health check writes something and fails with code 1.
    pub unhealthy: ContainerSpec,
    /// Runs on; its health check passes, and its readiness check does not end within its time, which should be short.
    pub hanging: ContainerSpec,
    /// An image that does not exist.
    pub missing: ContainerSpec,
}

/// Runs all cases, one after the other, on an empty runtime; it is empty again afterwards. The error says which case failed, and how.
pub async fn conformance(runtime: &Arc<dyn Runtime>, images: &SuiteImages) -> Result<(), String> {
    let suite = Suite { runtime: runtime.as_ref(), images };
    named("an unknown container is absent", suite.unknown_is_absent()).await?;
    named("a container lives and is removed", suite.lifecycle()).await?;
    named("every verb may be asked twice", suite.verbs_are_idempotent()).await?;
    named("an end by itself is told with its code", suite.exit_code()).await?;
    named("an ended container does not start again", suite.no_second_start()).await?;
    named("a container that ignores its stop signal is killed", suite.grace()).await?;
    named("a missing image is named", suite.missing_image()).await?;
    named("logs are kept apart by stream, and the tail is honoured", suite.logs()).await?;
    named("a probe tells its code and output", suite.probe()).await?;
    named("a probe that hangs ends in time, and the container lives", suite.hanging_probe()).await?;
    named("all containers are listed", suite.list()).await?;
    suite.check("nothing is left after the suite", suite.tasks().await?.is_empty())
}

async fn named(case: &str, run: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    run.await.map_err(|error| format!("{case}: {error}"))
}

struct Suite<'a> {
    runtime: &'a dyn Runtime,
    images: &'a SuiteImages,
}

impl Suite<'_> {
    async fn unknown_is_absent(&self) -> Result<(), String> {
        let task = TaskId::from_bits(404);
        self.check("observed as absent", self.observe(task).await?.phase == ContainerPhase::Absent)?;
        self.check(
            "start says that it is missing",
            matches!(self.runtime.start(task).await, Err(RuntimeError::Missing(id)) if id == task),
        )?;
        self.check("no logs", self.runtime.logs(task, LogOptions::default()).await.is_err())?;
        self.runtime.remove(task).await.map_err(|error| format!("removing nothing must work: {error}"))
    }

    async fn lifecycle(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(1, &self.images.sleeper).await?;
        self.check("prepared", self.observe(task).await?.phase == ContainerPhase::Prepared)?;
        self.start(task).await?;
        let running = self.observe(task).await?;
        self.check("running with a pid", running.phase == ContainerPhase::Running && running.container.pid.is_some())?;
        self.stop(task).await?;
        let ended = self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        self.check("it ended with a code that is not 0", ended.container.exit_code.is_some_and(|code| code != 0))?;
        self.check("no pid once it has ended", ended.container.pid.is_none())?;
        self.remove(task).await
    }

    async fn verbs_are_idempotent(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(2, &self.images.sleeper).await?;
        self.prepared(2, &self.images.sleeper).await?;
        self.start(task).await?;
        let pid = self.observe(task).await?.container.pid;
        self.start(task).await?;
        self.prepared(2, &self.images.sleeper).await?;
        let again = self.observe(task).await?;
        self.check("the same process still runs", again.phase == ContainerPhase::Running && again.container.pid == pid)?;
        self.stop(task).await?;
        self.stop(task).await?;
        self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        self.stop(task).await?;
        self.remove(task).await?;
        self.remove(task).await
    }

    async fn exit_code(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(3, &self.images.exits).await?;
        self.start(task).await?;
        let told = async { while !matches!(events.recv().await, Ok(event) if event.task == task) {} };
        timeout(PATIENCE, told).await.map_err(|_| "no event came for it".to_owned())?;
        let ended = self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        self.check(&format!("code 7, not {:?}", ended.container.exit_code), ended.container.exit_code == Some(7))?;
        self.remove(task).await
    }

    async fn no_second_start(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(4, &self.images.exits).await?;
        self.start(task).await?;
        let first = self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        // Whether it refuses or does nothing is its own choice.
        let _ = self.runtime.start(task).await;
        self.check("it stays as it ended", self.observe(task).await? == first)?;
        self.remove(task).await
    }

    async fn grace(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(5, &self.images.stubborn).await?;
        self.start(task).await?;
        self.stop(task).await?;
        let ended = self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        self.check(&format!("code 137, not {:?}", ended.container.exit_code), ended.container.exit_code == Some(137))?;
        self.remove(task).await
    }

    async fn missing_image(&self) -> Result<(), String> {
        let config = config(6, &self.images.missing);
        let refused = self.runtime.prepare(&config).await;
        let named =
            matches!(&refused, Err(RuntimeError::Image { image, reason }) if *image == self.images.missing.image && !reason.is_empty());
        self.check(&format!("the image and the cause are named, not {refused:?}"), named)?;
        self.check("nothing came into being", self.observe(config.task).await?.phase == ContainerPhase::Absent)?;
        self.remove(config.task).await
    }

    async fn logs(&self) -> Result<(), String> {
        let task = self.prepared(7, &self.images.talker).await?;
        self.start(task).await?;
        let mut follow = self.open_logs(task, LogOptions { follow: true, ..LogOptions::default() }).await?;
        let mut lines = Vec::new();
        while lines.len() < 3 {
            let next = timeout(PATIENCE, follow.next()).await.map_err(|_| format!("only {lines:?} came"))?;
            lines.push(next.ok_or_else(|| format!("the log ended after {lines:?}"))?.map_err(|error| error.to_string())?);
        }
        let texts = |stderr| -> Vec<&[u8]> {
            lines.iter().filter(|line: &&LogLine| line.stderr == stderr).map(|line| line.text.as_slice()).collect()
        };
        self.check("stdout has two lines in order", texts(false) == [b"one".as_slice(), b"two"])?;
        self.check("stderr has one", texts(true) == [b"three".as_slice()])?;
        let tail = self.open_logs(task, LogOptions { tail: Some(2), ..LogOptions::default() }).await?;
        let tail = timeout(PATIENCE, tail.count()).await.map_err(|_| "a log that is not followed must end".to_owned())?;
        self.check(&format!("a tail of 2 gave {tail}"), tail == 2)?;
        self.remove(task).await
    }

    async fn probe(&self) -> Result<(), String> {
        let mut events = self.runtime.events();
        let task = self.prepared(10, &self.images.unhealthy).await?;
        let early = self.probe_of(task, Check::Health).await?;
        self.check(&format!("no probe before the start, not {early:?}"), matches!(early, ProbeOutcome::NotRun(_)))?;
        self.start(task).await?;
        self.check("it is known how it is asked", self.observe(task).await?.checks.health.is_some())?;
        for _ in 0..2 {
            let outcome = self.probe_of(task, Check::Health).await?;
            let told = matches!(&outcome, ProbeOutcome::Exited { code: 1, output } if !output.trim().is_empty());
            self.check(&format!("code 1 with output, not {outcome:?}"), told)?;
        }
        self.check("a check that it does not have is refused", self.runtime.probe(task, Check::Readiness).await.is_err())?;
        self.check("a failed probe does nothing to it", self.observe(task).await?.phase == ContainerPhase::Running)?;
        self.stop(task).await?;
        self.await_phase(&mut events, task, ContainerPhase::Exited).await?;
        let late = self.probe_of(task, Check::Health).await?;
        self.check(&format!("no probe after the end, not {late:?}"), matches!(late, ProbeOutcome::NotRun(_)))?;
        self.remove(task).await?;
        let missing = self.runtime.probe(task, Check::Health).await;
        self.check(&format!("none of nothing, not {missing:?}"), matches!(missing, Err(RuntimeError::Missing(_))))
    }

    async fn hanging_probe(&self) -> Result<(), String> {
        let task = self.prepared(11, &self.images.hanging).await?;
        self.start(task).await?;
        let pid = self.observe(task).await?.container.pid;
        for _ in 0..2 {
            let hung = timeout(PATIENCE, self.probe_of(task, Check::Readiness)).await.map_err(|_| "it never ends".to_owned())??;
            self.check(&format!("it timed out, not {hung:?}"), matches!(hung, ProbeOutcome::TimedOut { .. }))?;
            let passed = self.probe_of(task, Check::Health).await?;
            self.check(&format!("a pass, not {passed:?}"), matches!(passed, ProbeOutcome::Exited { code: 0, .. }))?;
        }
        let after = self.observe(task).await?;
        self.check("the container is as before", after.phase == ContainerPhase::Running && after.container.pid == pid)?;
        self.remove(task).await
    }

    async fn probe_of(&self, task: TaskId, check: Check) -> Result<ProbeOutcome, String> {
        self.runtime.probe(task, check).await.map_err(|error| format!("probe: {error}"))
    }

    async fn list(&self) -> Result<(), String> {
        let first = self.prepared(8, &self.images.sleeper).await?;
        let second = self.prepared(9, &self.images.sleeper).await?;
        self.start(second).await?;
        let mut listed = self.tasks().await?;
        listed.sort_unstable();
        self.check(&format!("both are listed, not {listed:?}"), listed == [first, second])?;
        // A running container goes without a stop before it.
        self.remove(second).await?;
        self.remove(first).await
    }

    fn check(&self, what: &str, holds: bool) -> Result<(), String> {
        if holds { Ok(()) } else { Err(format!("expected: {what}")) }
    }

    async fn prepared(&self, number: u128, spec: &ContainerSpec) -> Result<TaskId, String> {
        let config = config(number, spec);
        self.runtime.prepare(&config).await.map_err(|error| format!("prepare: {error}"))?;
        Ok(config.task)
    }

    async fn start(&self, task: TaskId) -> Result<(), String> {
        self.runtime.start(task).await.map_err(|error| format!("start: {error}"))
    }

    async fn stop(&self, task: TaskId) -> Result<(), String> {
        self.runtime.stop(task).await.map_err(|error| format!("stop: {error}"))
    }

    /// Removes it and looks whether it is gone.
    async fn remove(&self, task: TaskId) -> Result<(), String> {
        self.runtime.remove(task).await.map_err(|error| format!("remove: {error}"))?;
        self.check("absent once removed", self.observe(task).await?.phase == ContainerPhase::Absent)?;
        self.check("not listed once removed", !self.tasks().await?.contains(&task))
    }

    async fn observe(&self, task: TaskId) -> Result<Observed, String> {
        self.runtime.observe(task).await.map_err(|error| format!("observe: {error}"))
    }

    async fn tasks(&self) -> Result<Vec<TaskId>, String> {
        self.runtime.list().await.map_err(|error| format!("list: {error}"))
    }

    async fn open_logs(&self, task: TaskId, options: LogOptions) -> Result<crate::LogStream, String> {
        self.runtime.logs(task, options).await.map_err(|error| format!("logs: {error}"))
    }

    /// Waits, by events alone, until the container is in a phase.
    async fn await_phase(
        &self,
        events: &mut broadcast::Receiver<ContainerEvent>,
        task: TaskId,
        phase: ContainerPhase,
    ) -> Result<Observed, String> {
        let reached = async {
            loop {
                let observed = self.observe(task).await?;
                if observed.phase == phase {
                    return Ok(observed);
                }
                match events.recv().await {
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Err("the runtime closed its events".to_owned()),
                }
            }
        };
        timeout(PATIENCE, reached).await.map_err(|_| format!("no event brought it to {phase:?}"))?
    }
}

fn config(number: u128, spec: &ContainerSpec) -> ContainerConfig {
    ContainerConfig {
        task: TaskId::from_bits(number),
        service: ServiceId::from_bits(1),
        name: format!("suite.{number}"),
        spec: Arc::new(TaskSpec { container: spec.clone(), ..TaskSpec::default() }),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    }
}
