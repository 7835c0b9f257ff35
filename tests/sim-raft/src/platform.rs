//! What the group runs on here: openraft's simulated runtime, one thread and virtual time.

use std::future::Future;
use std::io;
use std::time::Duration;

use cluster_raft::platform::Platform;
use openraft::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};

/// Virtual time that work beside the executor takes, in milliseconds.
const BESIDE: u64 = 5;

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sim;

impl Platform for Sim {
    type Runtime = SimRuntime;

    async fn beside<T, W>(work: W) -> io::Result<T>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        sleep(Duration::from_millis(BESIDE)).await;
        work()
    }
}

/// Waits in virtual time.
pub(crate) async fn sleep(span: Duration) {
    SimRuntime::sleep(span).await;
}

/// Starts a task that nobody waits for.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(SimRuntime::spawn(task));
}

/// What comes of `future`, unless that takes longer than `span`.
pub(crate) async fn within<T>(span: Duration, future: impl Future<Output = T> + Send) -> Option<T> {
    SimRuntime::timeout(span, future).await.ok()
}

/// Virtual time since the start.
pub(crate) fn now() -> Duration {
    SimInstant::try_now().map_or(Duration::ZERO, SimInstant::elapsed_since_start)
}
