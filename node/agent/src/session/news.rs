//! What a session tells of the data path beside the tasks: which views were applied, and how it is.

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Say;
use cluster_types::NodeNetwork;
use tokio::sync::watch;

use crate::applier::{Applied, Views};

pub(super) struct News {
    session: u64,
    applied: watch::Receiver<Applied>,
    report: watch::Receiver<NodeNetwork>,
}

impl News {
    /// The news of one session. It begins with how the data path is.
    pub(super) fn of(session: u64, views: &Views, report: &watch::Receiver<NodeNetwork>) -> Self {
        let mut report = report.clone();
        report.mark_unchanged();
        if report.has_changed().is_ok() {
            report.mark_changed();
        }
        Self { session, applied: views.applied(), report }
    }

    /// Waits for the next one. Nothing is lost when it is dropped before.
    pub(super) async fn next(&mut self) -> Say {
        loop {
            tokio::select! {
                Ok(()) = self.report.changed() => return Say::Network((&*self.report.borrow_and_update()).into()),
                Ok(()) = self.applied.changed() => {
                    let Applied { session, version } = *self.applied.borrow_and_update();
                    if session == self.session {
                        return Say::NetworkApplied(pb::NetworkApplied { version: version.0 });
                    }
                }
                else => std::future::pending().await,
            }
        }
    }
}
