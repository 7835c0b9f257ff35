//! What the runtime does for one task, beside the worker's loop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use cluster_runtime::{ContainerConfig, Runtime, RuntimeError};
use cluster_task::{Action, Outcome};
use cluster_types::{Observed, TaskId};
use futures::FutureExt as _;
use tokio::sync::Semaphore;

/// Images fetched and root file systems made at the same time.
const PREPARES: usize = 8;
/// Containers started at the same time.
const STARTS: usize = 8;
/// Everything else at the same time.
const OTHERS: usize = 32;

/// How much may happen at the same time. A slow download holds back no start, and no start a stop.
#[derive(Clone)]
pub(super) struct Permits {
    prepares: Arc<Semaphore>,
    starts: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Default for Permits {
    fn default() -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        Self { prepares: of(PREPARES), starts: of(STARTS), others: of(OTHERS) }
    }
}

impl Permits {
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
}

/// Looks at a container.
pub(super) async fn look(runtime: Arc<dyn Runtime>, permits: Permits, task: TaskId) -> Finished {
    let _permit = permits.of(None).acquire().await;
    Finished { task, acted: None, observed: observe(runtime.as_ref(), task).await }
}

/// Does one thing to a container, then looks at it.
pub(super) async fn act(
    runtime: Arc<dyn Runtime>,
    permits: Permits,
    task: TaskId,
    action: Action,
    config: Option<ContainerConfig>,
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
    Finished { task, acted: Some((action, outcome(action, done))), observed: observe(runtime.as_ref(), task).await }
}

async fn observe(runtime: &dyn Runtime, task: TaskId) -> Result<Observed, RuntimeError> {
    caught(runtime.observe(task)).await
}

/// A runtime that panics has failed; the agent goes on.
async fn caught<T>(work: impl Future<Output = Result<T, RuntimeError>>) -> Result<T, RuntimeError> {
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
