//! What the runtime does for one task, beside the worker's loop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cluster_runtime::{ContainerConfig, LogOptions, Runtime, RuntimeError};
use cluster_task::{Action, Outcome};
use cluster_types::limits::OUTPUT_BYTES;
use cluster_types::{ContainerPhase, Observed, TaskId};
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;

/// Images fetched and root file systems made at the same time.
const PREPARES: usize = 8;
/// Containers started at the same time.
const STARTS: usize = 8;
/// Everything else at the same time.
const OTHERS: usize = 32;
/// Checks of containers that run at the same time. Those beyond wait: a host is not to be busy with asking only.
const PROBES: usize = 32;
/// Lines of a failed container's log that its status shows.
const LAST_LINES: u64 = 5;
/// How long they may take to read: the end of a container is told in any case.
const READING: Duration = Duration::from_secs(2);

/// How much may happen at the same time. A slow download holds back no start, and no start a stop.
#[derive(Clone)]
pub(super) struct Permits {
    prepares: Arc<Semaphore>,
    starts: Arc<Semaphore>,
    others: Arc<Semaphore>,
    probes: Arc<Semaphore>,
}

impl Default for Permits {
    fn default() -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        Self { prepares: of(PREPARES), starts: of(STARTS), others: of(OTHERS), probes: of(PROBES) }
    }
}

impl Permits {
    /// For a check.
    pub(super) fn probes(&self) -> &Semaphore {
        &self.probes
    }

    fn of(&self, action: Option<Action>) -> &Semaphore {
        match action {
            Some(Action::Prepare) => &self.prepares,
            Some(Action::Start) => &self.starts,
            Some(Action::Stop | Action::Remove) | None => &self.others,
        }
    }
}

/// How a job ended.
pub(super) struct Finished {
    pub(super) task: TaskId,
    pub(super) acted: Option<(Action, Outcome)>,
    pub(super) observed: Result<Observed, RuntimeError>,
    /// What a container that has ended printed last.
    pub(super) last_lines: Option<String>,
}

impl Finished {
    /// Looks at the container, and with `listen` also into the log of one that has ended.
    async fn with(runtime: &dyn Runtime, task: TaskId, acted: Option<(Action, Outcome)>, listen: bool) -> Self {
        let observed = caught(runtime.observe(task)).await;
        let ended = observed.as_ref().is_ok_and(|observed| observed.phase == ContainerPhase::Exited);
        let last_lines = if ended && listen { last_lines(runtime, task).await } else { None };
        Self { task, acted, observed, last_lines }
    }
}

/// Looks at a container.
pub(super) async fn look(runtime: Arc<dyn Runtime>, permits: Permits, task: TaskId, listen: bool) -> Finished {
    let _permit = permits.of(None).acquire().await;
    Finished::with(runtime.as_ref(), task, None, listen).await
}

/// The last lines of a log, the oldest cut away where they are too long. None when there are none, or they cannot be read in time.
async fn last_lines(runtime: &dyn Runtime, task: TaskId) -> Option<String> {
    let read = async {
        let lines = runtime.logs(task, LogOptions { tail: Some(LAST_LINES), ..LogOptions::default() }).await.ok()?;
        let texts: Vec<String> =
            lines.filter_map(async |line| Some(String::from_utf8_lossy(&line.ok()?.text).into_owned())).collect().await;
        Some(texts.join("\n"))
    };
    let text = tokio::time::timeout(READING, AssertUnwindSafe(read).catch_unwind()).await.ok()?.ok()??;
    let from = text.ceil_char_boundary(text.len().saturating_sub(OUTPUT_BYTES));
    (!text.is_empty()).then(|| text[from..].to_owned())
}

/// Does one thing to a container, then looks at it.
pub(super) async fn act(
    runtime: Arc<dyn Runtime>,
    permits: Permits,
    task: TaskId,
    action: Action,
    config: Option<ContainerConfig>,
    listen: bool,
) -> Finished {
    let permit = permits.of(Some(action)).acquire().await;
    let done = match action {
        Action::Prepare => match &config {
            Some(config) => caught(runtime.prepare(config)).await,
            // Nobody wants it any more: the next step removes what there is.
            None => Ok(()),
        },
        Action::Start => caught(runtime.start(task)).await,
        Action::Stop => caught(runtime.stop(task)).await,
        Action::Remove => caught(runtime.remove(task)).await,
    };
    drop(permit);
    if let Err(error) = &done {
        tracing::warn!(%task, action = action.word(), %error, "the runtime could not do it");
    }
    Finished::with(runtime.as_ref(), task, Some((action, outcome(action, done))), listen).await
}

/// A runtime that panics has failed; the agent goes on.
pub(super) async fn caught<T>(work: impl Future<Output = Result<T, RuntimeError>>) -> Result<T, RuntimeError> {
    let panicked = |_| Err(RuntimeError::Failed("the runtime panicked: a defect, see the daemon's log".to_owned()));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

fn outcome(action: Action, done: Result<(), RuntimeError>) -> Outcome {
    match done {
        Ok(()) => Outcome::Done,
        // It is gone already: the observation says so, too.
        Err(RuntimeError::Missing(_)) if matches!(action, Action::Stop | Action::Remove) => Outcome::Done,
        Err(error @ (RuntimeError::Image { .. } | RuntimeError::Rejected(_))) => Outcome::Rejected(error.to_string()),
        Err(error @ (RuntimeError::Failed(_) | RuntimeError::Missing(_))) => Outcome::Failed(error.to_string()),
    }
}
