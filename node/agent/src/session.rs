//! The agent's session with the managers: finds the leader, keeps one session open, and passes on what comes through it.
//!
//! It decides nothing about tasks. Whatever goes wrong with a session ends it; the next one begins with a full set, which is the path taken
//! every day. Without managers the worker and its containers simply go on.

mod book;
mod link;
mod news;
mod removal;

use std::sync::Arc;
use std::time::Instant;

use cluster_task::Fence;
use cluster_types::{NodeDescription, NodeNetwork};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::agent::{AgentStatus, Presence};
use crate::applier::Views;
use crate::dial::Dial;
use crate::reports::Reports;
use crate::worker::Command;

pub(crate) use book::Book;
use link::{End, Link};
pub(crate) use removal::Removal;

/// What a session is made from.
pub(crate) struct Connector {
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) describe: Arc<dyn Fn() -> NodeDescription + Send + Sync>,
    pub(crate) runtime: Arc<dyn cluster_runtime::Runtime>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) status: watch::Sender<AgentStatus>,
    pub(crate) stop: CancellationToken,
    pub(crate) boot_id: String,
    /// Tells this life of the agent from others with the same identity (failures D10).
    pub(crate) nonce: String,
    pub(crate) book: Book,
    pub(crate) fence: Fence,
    pub(crate) removal: Removal,
    /// What is known of the cluster's network, over all sessions.
    pub(crate) views: Views,
    /// How the data path is.
    pub(crate) report: watch::Receiver<NodeNetwork>,
}

impl Connector {
    /// Keeps a session open until the agent stops or the node is removed.
    pub(crate) async fn run(mut self) {
        loop {
            let Some(manager) = self.book.next() else {
                tracing::error!("no manager's address is known: the node keeps its containers and hears nothing");
                return self.stop.cancelled().await;
            };
            let end = Link::run(&mut self, &manager).await;
            self.status.send_if_modified(|status| status.leave_session());
            match end {
                End::Stopped => return,
                End::Redirected(leader) => {
                    tracing::debug!(%manager, %leader, "sent to the leader");
                    self.removal.deferred(&manager);
                    self.book.redirected(leader);
                }
                End::Removed(reason) => {
                    tracing::warn!(%manager, %reason, "a manager refuses this node");
                    if self.removal.said(&manager, self.book.managers(), Instant::now()) {
                        return self.removed(reason).await;
                    }
                }
                End::Copied(reason) => {
                    tracing::error!(%manager, %reason, "another machine uses this node's identity");
                    self.trouble(reason);
                }
                End::Lost(reason) => {
                    tracing::info!(%manager, %reason, "no session");
                    self.trouble(format!("{manager}: {reason}"));
                }
            }
            let pause = self.book.pause();
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn trouble(&self, reason: String) {
        self.status.send_modify(|status| status.trouble = Some(reason));
    }

    async fn removed(&self, reason: String) {
        tracing::error!(%reason, "this node is no longer of the cluster: its containers are stopped");
        self.views.forget();
        // A worker that is gone has nothing left to stop.
        let _ = self.commands.send(Command::Evict).await;
        self.status.send_modify(|status| status.presence = Presence::Removed { reason });
        self.stop.cancelled().await;
    }
}
