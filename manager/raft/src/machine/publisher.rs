//! Where the machine shows what it applied: the newest view for readers, events for followers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use cluster_state::{Applied, State, View};
use tokio::sync::broadcast;

use super::feed::{Feed, Subscription};

/// Events that a follower may lag behind before it is told to look anew.
const BACKLOG: usize = 4096;

/// The newest view and who follows.
pub struct Publisher {
    view: ArcSwap<View>,
    feed: broadcast::Sender<Feed>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { view: ArcSwap::from_pointee(State::new().view()), feed: broadcast::Sender::new(BACKLOG) }
    }
}

impl Publisher {
    /// The newest view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// A view and what happens after it, without a gap.
    #[must_use]
    pub fn subscribe(&self) -> (Arc<View>, Subscription) {
        // First the feed, then the view: what comes in between is in both, and the subscription skips it.
        let receiver = self.feed.subscribe();
        let view = self.view();
        let after = view.index();
        (view, Subscription::new(receiver, after))
    }

    /// Shows a view, then the entries that led to it.
    pub(crate) fn publish(&self, view: View, entries: Vec<Arc<Applied>>) {
        self.view.store(Arc::new(view));
        for entry in entries {
            // An error means that nobody listens.
            let _ = self.feed.send(Feed::Applied(entry));
        }
    }

    /// Shows a view that no chain of events leads to.
    pub(crate) fn replace(&self, view: View) {
        self.view.store(Arc::new(view));
        let _ = self.feed.send(Feed::Resync);
    }
}
