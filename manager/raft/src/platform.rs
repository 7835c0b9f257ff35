//! What the group runs on: openraft's runtime, and where work that blocks goes. [`Tokio`] in the product; a simulation brings a runtime of
//! virtual time, so that this crate's log and machine run there as they are.

use std::fmt::Debug;
use std::future::Future;
use std::io;

use openraft::AsyncRuntime;
use openraft::impls::TokioRuntime;

/// See the module. It is only a name, at no cost.
pub trait Platform: Debug + Clone + Copy + Default + Ord + Send + Sync + 'static {
    /// Tasks, timers and channels for openraft.
    type Runtime: AsyncRuntime;

    /// Runs work that blocks on the disk beside the executor.
    fn beside<T, W>(work: W) -> impl Future<Output = io::Result<T>> + Send
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static;
}

/// Real time and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tokio;

impl Platform for Tokio {
    type Runtime = TokioRuntime;

    async fn beside<T, W>(work: W) -> io::Result<T>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}
