//! The applier: brings the newest network view to the data path, beside the session, which never waits for the kernel.
//!
//! Views that come while it is busy replace each other. A view that the data path refuses is tried again until it is done or there is a
//! newer one; nothing is acknowledged before. The session fills the view and passes on what was applied.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{Version, ViewDiff, ViewItems};
use tokio::sync::watch;

use crate::data_path::DataPath;

/// Pause before a view is tried again that the data path refused.
const RETRY: Duration = Duration::from_secs(1);

/// What the node knows of the cluster's network. It outlives sessions: a full diff replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    items: ViewItems,
    stamp: Applied,
}

/// Which view was applied as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Applied {
    /// The session that it came with: only that one's manager hears of it, since versions of another incarnation mean something else.
    pub(crate) session: u64,
    pub(crate) version: Version,
}

/// The session's end.
pub(crate) struct Views {
    known: watch::Sender<Known>,
    applied: watch::Receiver<Applied>,
}

/// The data path's end.
pub(crate) struct Applier {
    data_path: Arc<dyn DataPath>,
    known: watch::Receiver<Known>,
    applied: watch::Sender<Applied>,
}

/// Both ends. Nothing is applied before a view is known.
pub(crate) fn applier(data_path: Arc<dyn DataPath>) -> (Views, Applier) {
    let (known, wanted) = watch::channel(Known::default());
    let (applied, done) = watch::channel(Applied::default());
    (Views { known, applied: done }, Applier { data_path, known: wanted, applied })
}

impl Views {
    /// Takes in a whole diff that came with a session.
    pub(crate) fn take(&self, session: u64, diff: &ViewDiff) {
        self.known.send_modify(|known| {
            diff.apply(&mut known.items);
            known.stamp = Applied { session, version: diff.version };
        });
    }

    /// The node is of no cluster any more: it knows nothing.
    pub(crate) fn forget(&self) {
        self.known.send_replace(Known::default());
    }

    /// Hears of what is applied from now on.
    pub(crate) fn applied(&self) -> watch::Receiver<Applied> {
        let mut applied = self.applied.clone();
        applied.mark_unchanged();
        applied
    }
}

impl Applier {
    /// Runs until the session's end is gone.
    pub(crate) async fn run(mut self) {
        let mut trouble = None;
        while self.known.changed().await.is_ok() {
            let known = self.known.borrow_and_update().clone();
            let version = known.stamp.version.0;
            match self.data_path.apply(&known.items, known.stamp.version).await {
                Ok(()) => {
                    if trouble.take().is_some() {
                        tracing::info!(version, "the data path carries the network view again");
                    }
                    self.applied.send_replace(known.stamp);
                }
                Err(error) => {
                    if trouble.as_ref() != Some(&error) {
                        tracing::error!(%error, version, "the data path does not carry the network view; trying again");
                    }
                    trouble = Some(error);
                    self.pause().await;
                }
            }
        }
    }

    /// After it there is something to do.
    async fn pause(&mut self) {
        // A newer view need not wait; without a session's end the loop ends.
        let _ = tokio::time::timeout(RETRY, self.known.changed()).await;
        self.known.mark_changed();
    }
}

#[cfg(test)]
mod tests;
