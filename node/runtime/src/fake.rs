//! A runtime without containers: for simulations, the agent's tests and `cluster bench agents`.
//!
//! It does what the trait says, at once and the same each time; how a container behaves follows from its image's name:
//!
//! | image | behaviour |
//! |---|---|
//! | `fake/exit-7` | ends with code 7 as soon as it is started |
//! | `fake/missing` | cannot be prepared: there is no such image |
//! | `fake/rejected` | cannot be prepared: this host cannot run it |
//! | `fake/unstartable` | is prepared and then fails to start |
//! | `fake/stubborn` | ignores its stop signal, so it ends by SIGKILL (137) at once |
//! | `fake/talk` | writes each of its arguments as a line, those that begin with `!` to stderr |
//! | `fake/unhealthy` | runs until it is stopped, and its health checks fail |
//! | `fake/hanging` | runs until it is stopped, and its readiness checks hang |
//! | any other | runs until it is stopped (143) |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cluster_types::{Check, Checks, ContainerPhase, ContainerSpec, ContainerStatus, Observed, TaskId, Timestamp};
use futures::stream::{self, StreamExt as _};
use tokio::sync::broadcast;

use crate::{ContainerConfig, ContainerEvent, LogLine, LogOptions, LogStream, ProbeOutcome, Runtime, RuntimeError};

/// Events that a reader may be behind before it is told that it lagged. Small: a fleet has thousands of these.
const EVENTS: usize = 16;

/// Containers in memory.
#[derive(Debug)]
pub struct FakeRuntime {
    containers: Mutex<BTreeMap<TaskId, FakeContainer>>,
    starts: Mutex<BTreeMap<TaskId, u32>>,
    probes: Mutex<BTreeMap<TaskId, Probes>>,
    events: broadcast::Sender<ContainerEvent>,
}

/// How the probes of a fake container go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FakeProbe {
    /// They pass.
    #[default]
    Passes,
    /// They fail with code 1 and this output.
    Fails(String),
    /// They take as long as they may.
    Hangs,
}

/// Of one container.
#[derive(Debug, Default)]
struct Probes {
    how: BTreeMap<Check, FakeProbe>,
    count: u32,
    under_way: u32,
    most: u32,
}

#[derive(Debug)]
struct FakeContainer {
    behaviour: Behaviour,
    observed: Observed,
    lines: Vec<LogLine>,
    /// Its followers wait on this; none once it has ended.
    grown: Option<broadcast::Sender<LogLine>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Behaviour {
    Runs,
    Exits(i32),
    Unstartable,
    Stubborn,
    Talks(Vec<String>),
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self { containers: Mutex::default(), starts: Mutex::default(), probes: Mutex::default(), events: broadcast::channel(EVENTS).0 }
    }
}

impl FakeRuntime {
    /// A runtime with no container.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a running container end by itself.
    pub fn exit(&self, task: TaskId, code: i32) {
        if let Some(container) = self.lock().get_mut(&task) {
            container.exit(code);
        }
        self.tell(task);
    }

    /// Loses a container as if its files had been deleted behind the agent's back.
    pub fn lose(&self, task: TaskId) {
        self.lose_silently(task);
        self.tell(task);
    }

    /// Loses a container, and the event as well.
    pub fn lose_silently(&self, task: TaskId) {
        self.lock().remove(&task);
    }

    /// How often a task's container was really started, over all its lives.
    #[must_use]
    pub fn starts(&self, task: TaskId) -> u32 {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(&task).copied().unwrap_or_default()
    }

    /// How a task's probes go from now on, also before it has a container.
    pub fn set_probe(&self, task: TaskId, check: Check, how: FakeProbe) {
        self.probes().entry(task).or_default().how.insert(check, how);
    }

    /// How many probes of a task were begun, and how many of them ran at the same time at most.
    #[must_use]
    pub fn probed(&self, task: TaskId) -> (u32, u32) {
        self.probes().get(&task).map(|probes| (probes.count, probes.most)).unwrap_or_default()
    }

    fn probes(&self) -> MutexGuard<'_, BTreeMap<TaskId, Probes>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything of a container.
    #[must_use]
    pub fn has(&self, task: TaskId) -> bool {
        self.lock().contains_key(&task)
    }

    /// The containers that run.
    #[must_use]
    pub fn running(&self) -> Vec<TaskId> {
        let runs = |container: &FakeContainer| container.observed.phase == ContainerPhase::Running;
        self.lock().iter().filter(|(_, container)| runs(container)).map(|(task, _)| *task).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskId, FakeContainer>> {
        // Nothing panics while it holds the lock, so a poisoned map is a whole one.
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, task: TaskId) {
        // Nobody listening is fine.
        let _ = self.events.send(ContainerEvent { task });
    }

    fn with<T>(&self, task: TaskId, act: impl FnOnce(&mut FakeContainer) -> T) -> Result<T, RuntimeError> {
        self.lock().get_mut(&task).map(act).ok_or(RuntimeError::Missing(task))
    }
}

impl FakeContainer {
    /// Whether it was really started now.
    fn start(&mut self) -> Result<bool, RuntimeError> {
        if self.observed.phase != ContainerPhase::Prepared {
            return Ok(false);
        }
        if self.behaviour == Behaviour::Unstartable {
            return Err(RuntimeError::Failed("the fake container cannot be started".to_owned()));
        }
        self.observed.phase = ContainerPhase::Running;
        self.observed.container = ContainerStatus { pid: Some(1), ..ContainerStatus::default() };
        match self.behaviour.clone() {
            Behaviour::Exits(code) => self.exit(code),
            Behaviour::Talks(lines) => lines.into_iter().for_each(|line| self.write(&line)),
            Behaviour::Runs | Behaviour::Unstartable | Behaviour::Stubborn => {}
        }
        Ok(true)
    }

    fn exit(&mut self, code: i32) {
        if self.observed.phase == ContainerPhase::Running {
            self.observed.phase = ContainerPhase::Exited;
            self.observed.container = ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() };
            self.grown = None;
        }
    }

    fn write(&mut self, line: &str) {
        let text = line.strip_prefix('!').unwrap_or(line).as_bytes().to_vec();
        // Line numbers stand for moments: no clock is read here.
        let at_ns = self.lines.len() as u64 + 1;
        let line = LogLine { at_ns, stderr: line.starts_with('!'), text, partial: false };
        self.lines.push(line.clone());
        let _ = self.grown.as_ref().map(|grown| grown.send(line));
    }
}

/// What the image's name asks for.
fn behaviour(spec: &ContainerSpec) -> Result<Behaviour, RuntimeError> {
    let name = spec.image.split([':', '@']).next().unwrap_or_default();
    let scripted = name.strip_prefix("fake/").unwrap_or_default();
    if let Some(code) = scripted.strip_prefix("exit-").and_then(|code| code.parse().ok()) {
        return Ok(Behaviour::Exits(code));
    }
    match scripted {
        "missing" => Err(RuntimeError::Image { image: spec.image.clone(), reason: "there is no such image".to_owned() }),
        "rejected" => Err(RuntimeError::Rejected("the fake host cannot run it".to_owned())),
        "unstartable" => Ok(Behaviour::Unstartable),
        "stubborn" => Ok(Behaviour::Stubborn),
        "talk" => Ok(Behaviour::Talks(spec.args.clone())),
        _ => Ok(Behaviour::Runs),
    }
}

/// The spec's checks: a fake image has none.
fn checks(spec: &ContainerSpec) -> Arc<Checks> {
    let readiness = spec.readiness.as_ref().and_then(|readiness| readiness.resolve(None));
    Arc::new(Checks { health: spec.health.resolve(None), readiness })
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn prepare(&self, config: &ContainerConfig) -> Result<(), RuntimeError> {
        let behaviour = behaviour(&config.spec.container)?;
        match config.spec.container.image.as_str() {
            "fake/unhealthy" => self.set_probe(config.task, Check::Health, FakeProbe::Fails("the fake container is unhealthy".to_owned())),
            "fake/hanging" => self.set_probe(config.task, Check::Readiness, FakeProbe::Hangs),
            _ => {}
        }
        self.lock().entry(config.task).or_insert_with(|| FakeContainer {
            behaviour,
            observed: Observed {
                phase: ContainerPhase::Prepared,
                at: Timestamp(1),
                checks: checks(&config.spec.container),
                ..Observed::default()
            },
            lines: Vec::new(),
            grown: Some(broadcast::channel(EVENTS).0),
        });
        Ok(())
    }

    async fn start(&self, task: TaskId) -> Result<(), RuntimeError> {
        if self.with(task, FakeContainer::start)?? {
            *self.starts.lock().unwrap_or_else(PoisonError::into_inner).entry(task).or_default() += 1;
            self.tell(task);
        }
        Ok(())
    }

    async fn stop(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.with(task, |container| container.exit(if container.behaviour == Behaviour::Stubborn { 137 } else { 143 }))?;
        self.tell(task);
        Ok(())
    }

    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError> {
        if self.lock().remove(&task).is_some() {
            self.tell(task);
        }
        Ok(())
    }

    async fn probe(&self, task: TaskId, check: Check) -> Result<ProbeOutcome, RuntimeError> {
        let observed = self.with(task, |container| container.observed.clone())?;
        let Some(how) = observed.checks.of(check) else {
            return Err(RuntimeError::Rejected("the fake container has no such check".to_owned()));
        };
        if observed.phase != ContainerPhase::Running {
            return Ok(ProbeOutcome::NotRun("the container does not run".to_owned()));
        }
        let probe = {
            let mut probes = self.probes();
            let probes = probes.entry(task).or_default();
            (probes.count, probes.under_way) = (probes.count + 1, probes.under_way + 1);
            probes.most = probes.most.max(probes.under_way);
            probes.how.get(&check).cloned().unwrap_or_default()
        };
        let outcome = match probe {
            FakeProbe::Passes => ProbeOutcome::Exited { code: 0, output: "ok".to_owned() },
            FakeProbe::Fails(output) => ProbeOutcome::Exited { code: 1, output },
            FakeProbe::Hangs => {
                tokio::time::sleep(how.timeout).await;
                ProbeOutcome::TimedOut { output: String::new() }
            }
        };
        self.probes().entry(task).or_default().under_way -= 1;
        Ok(outcome)
    }

    async fn observe(&self, task: TaskId) -> Result<Observed, RuntimeError> {
        Ok(self.lock().get(&task).map(|container| container.observed.clone()).unwrap_or_default())
    }

    async fn list(&self) -> Result<Vec<TaskId>, RuntimeError> {
        Ok(self.lock().keys().copied().collect())
    }

    fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        self.events.subscribe()
    }

    async fn logs(&self, task: TaskId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let (lines, grown) = self.with(task, |container| {
            let grown = container.grown.as_ref().map(broadcast::Sender::subscribe);
            (container.lines.clone(), grown.filter(|_| options.follow))
        })?;
        let wanted: Vec<LogLine> = lines.into_iter().filter(|line| options.since_ns.is_none_or(|since| line.at_ns >= since)).collect();
        let skip = options.tail.map_or(0, |tail| wanted.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX)));
        let old = stream::iter(wanted.into_iter().skip(skip).map(Ok));
        let new = stream::unfold(grown, |grown| async move {
            let mut grown = grown?;
            grown.recv().await.ok().map(|line| (Ok(line), Some(grown)))
        });
        Ok(old.chain(new).boxed())
    }
}

#[cfg(test)]
mod tests;
