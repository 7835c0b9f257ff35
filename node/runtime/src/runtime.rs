//! The runtime trait: what an agent may ask of a container runtime, and what it hears from it.
//!
//! All verbs are idempotent: after a crash the agent simply asks again.

use std::sync::Arc;

use async_trait::async_trait;
use cluster_types::{Check, GenericGrant, Observed, PublishedPort, ServiceId, TaskAddress, TaskId, TaskSpec};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

/// What a container is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerConfig {
    /// Its task; also the container's id.
    pub task: TaskId,
    /// Its service.
    pub service: ServiceId,
    /// `web.3`: its name for people, and its host name where the spec gives none.
    pub name: String,
    /// What to run.
    pub spec: Arc<TaskSpec>,
    /// Host-mode ports to open.
    pub ports: Vec<PublishedPort>,
    /// Its address in each of its networks.
    #[serde(default)]
    pub addresses: Vec<TaskAddress>,
    /// The generic resources that it is given.
    #[serde(default)]
    pub generic: GenericGrant,
}

/// A container changed by itself or at last did what it was asked: look at it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Which.
    pub task: TaskId,
}

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// Whether the stream goes on with new lines until the container is gone.
    pub follow: bool,
    /// Lines from the end; none is all.
    pub tail: Option<u64>,
    /// Only lines at or after this moment, in nanoseconds since the epoch.
    pub since_ns: Option<u64>,
}

/// One line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When the runtime read it, in nanoseconds since the epoch.
    pub at_ns: u64,
    /// Whether it came from stderr.
    pub stderr: bool,
    /// Without its line end.
    pub text: Vec<u8>,
    /// The line was longer than 16 KiB and goes on in the next one.
    pub partial: bool,
}

/// How a probe went. Its output is what it wrote to stdout and stderr, at most `limits::PROBE_BYTES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeOutcome {
    /// It ended by itself.
    Exited {
        /// 0 is a pass; 128 + signal when a signal ended it.
        code: i32,
        /// What it wrote.
        output: String,
    },
    /// It took longer than its check allows, and was killed with everything that it had started.
    TimedOut {
        /// What it wrote until then.
        output: String,
    },
    /// It could not be run, as the text says: the container has ended, or the host could not. This says nothing of the container.
    NotRun(String),
}

/// Lines as they come.
pub type LogStream = BoxStream<'static, Result<LogLine, RuntimeError>>;

/// Why a runtime could not do what it was asked. The texts end up in `service ps`.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The image is not here and could not be fetched; the text is the true cause.
    #[error("image {image}: {reason}")]
    Image {
        /// As the spec names it.
        image: String,
        /// Why.
        reason: String,
    },
    /// The spec cannot be run on this host: it would fail again.
    #[error("{0}")]
    Rejected(String),
    /// Something on the host failed: it may go better on a retry or elsewhere.
    #[error("{0}")]
    Failed(String),
    /// There is no such container.
    #[error("there is no container {0}")]
    Missing(TaskId),
}

/// A container runtime.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Fetches the image where missing and makes the root file system: phase `Prepared`.
    async fn prepare(&self, config: &ContainerConfig) -> Result<(), RuntimeError>;

    /// Starts a prepared container: phase `Running` when it returns (or `Exited` already, for a short one).
    async fn start(&self, task: TaskId) -> Result<(), RuntimeError>;

    /// Sends the stop signal and, after the spec's grace period, SIGKILL. Returns at once; the exit comes as an event.
    async fn stop(&self, task: TaskId) -> Result<(), RuntimeError>;

    /// Removes every trace of a container, running or not: processes, mounts, cgroup, network, logs.
    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError>;

    /// Runs one of a container's checks inside of it, as the container's own process would run. Nothing of the probe is left when it returns.
    /// One probe at a time for each container: a second one waits.
    async fn probe(&self, task: TaskId, check: Check) -> Result<ProbeOutcome, RuntimeError>;

    /// What a container is now; phase `Absent` when the runtime has nothing of it.
    async fn observe(&self, task: TaskId) -> Result<Observed, RuntimeError>;

    /// Every container that the runtime has something of, also those of an earlier life of the agent.
    async fn list(&self) -> Result<Vec<TaskId>, RuntimeError>;

    /// Containers that changed, from now on. A reader that lags behind is told so by the channel and must observe all.
    fn events(&self) -> tokio::sync::broadcast::Receiver<ContainerEvent>;

    /// The lines of a container that is not removed.
    async fn logs(&self, task: TaskId, options: LogOptions) -> Result<LogStream, RuntimeError>;
}
