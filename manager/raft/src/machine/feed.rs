//! What one follower of the state receives: applied entries in order, without a gap, or the word to look anew.

use std::sync::Arc;

use cluster_state::Applied;
use cluster_types::Version;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// One message to a follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// An entry was applied; its events are in order. Entries without events are left out.
    Applied(Arc<Applied>),
    /// The follower was too slow, or a snapshot replaced the state: take a new view, then go on.
    Resync,
}

/// A place in the stream of applied entries.
#[derive(Debug)]
pub struct Subscription {
    receiver: Receiver<Feed>,
    after: Version,
}

impl Subscription {
    pub(crate) fn new(receiver: Receiver<Feed>, after: Version) -> Self {
        Self { receiver, after }
    }

    /// The next message; none when the manager has shut down. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Feed> {
        loop {
            match self.receiver.recv().await {
                Ok(Feed::Applied(applied)) if applied.index <= self.after => {}
                Ok(Feed::Applied(applied)) => {
                    self.after = applied.index;
                    return Some(Feed::Applied(applied));
                }
                Ok(Feed::Resync) | Err(RecvError::Lagged(_)) => return Some(Feed::Resync),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
