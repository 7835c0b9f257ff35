//! The agent as the daemon sees it: started with a runtime and a way to reach managers, watched, and shut down.

use std::path::PathBuf;
use std::sync::Arc;

use cluster_runtime::Runtime;
use cluster_task::Fence;
use cluster_types::{IdStream, NodeDescription, NodeId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::applier::applier;
use crate::clock::{Clock, SystemClock};
use crate::data_path::{DataPath, NoDataPath};
use crate::dial::Dial;
use crate::ledger::{Ledger, LedgerError};
use crate::reports::Reports;
use crate::session::{Book, Connector, Removal};
use crate::worker::{Worker, WorkerConfig};

/// Commands that the worker may be behind.
const COMMANDS: usize = 64;

/// What an agent is made from.
#[derive(Clone)]
pub struct AgentConfig {
    /// The node.
    pub node: NodeId,
    /// Folder of the ledger, made with mode 0700 where missing. None keeps nothing, for fakes: such an agent forgets all when it ends.
    pub data_dir: Option<PathBuf>,
    /// What the node says of its machine; asked at each new session.
    pub describe: Arc<dyn Fn() -> NodeDescription + Send + Sync>,
    /// Where managers may be, `host:port`. Those that managers tell later are kept in the ledger, beside these.
    pub managers: Vec<String>,
    /// How a manager is reached.
    pub dial: Arc<dyn Dial>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What carries the node's traffic.
    pub data_path: Arc<dyn DataPath>,
    /// The kernel's boot id: another one than in the ledger means that the host has restarted.
    pub boot_id: String,
}

impl AgentConfig {
    /// A configuration with the system's clock, nothing kept on disk, and no traffic to carry.
    pub fn new(node: NodeId, dial: Arc<dyn Dial>, managers: Vec<String>) -> Self {
        Self {
            node,
            data_dir: None,
            describe: Arc::new(NodeDescription::default),
            managers,
            dial,
            clock: Arc::new(SystemClock::default()),
            data_path: Arc::new(NoDataPath),
            boot_id: String::new(),
        }
    }
}

/// How it stands with the managers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Presence {
    /// No session: one is looked for, and the containers run on.
    #[default]
    Searching,
    /// A session is open.
    Open {
        /// The leader's address.
        manager: String,
        /// Its cluster's incarnation.
        incarnation: u64,
        /// Its Raft term.
        term: u64,
    },
    /// The managers say that the node was removed: its tasks are stopped, and it does not ask again.
    Removed {
        /// Their words.
        reason: String,
    },
}

/// The agent's state, for `cluster status` and the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentStatus {
    /// How it stands with the managers.
    pub presence: Presence,
    /// Why the last session ended or could not be opened.
    pub trouble: Option<String>,
    /// Sessions opened since the start.
    pub sessions: u64,
    /// Counts how often a manager asked for a new certificate, since the node's role changed. The daemon renews when it grows.
    pub renewals_wanted: u64,
}

impl AgentStatus {
    /// The session, if any, is over; whether that is news.
    pub(crate) fn leave_session(&mut self) -> bool {
        let was_open = matches!(self.presence, Presence::Open { .. });
        if was_open {
            self.presence = Presence::Searching;
        }
        was_open
    }
}

/// A running agent. Dropping it stops it at once; containers are never touched by that.
pub struct Agent {
    status: watch::Receiver<AgentStatus>,
    reports: Arc<Reports>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Agent {
    /// Starts an agent: it takes over the containers that still run, with or without managers, then looks for a session.
    ///
    /// # Errors
    /// When the ledger can neither be read nor made anew.
    pub async fn start(config: AgentConfig, runtime: Arc<dyn Runtime>) -> Result<Self, LedgerError> {
        let ledger = open_ledger(config.data_dir.clone()).await?;
        let contents = ledger.contents();
        let book = Book::new(config.managers, contents.managers.clone());
        let fence = Fence { incarnation: contents.fence.0, term: contents.fence.1 };
        let reports = Arc::new(Reports::default());
        let (commands, heard) = mpsc::channel(COMMANDS);
        let (status, watched) = watch::channel(AgentStatus::default());
        let stop = CancellationToken::new();
        let report = config.data_path.report();
        let (views, applier) = applier(config.data_path);
        let connector = Connector {
            dial: config.dial,
            describe: config.describe,
            runtime: Arc::clone(&runtime),
            reports: Arc::clone(&reports),
            commands,
            status,
            stop: stop.clone(),
            boot_id: config.boot_id.clone(),
            nonce: nonce(),
            book,
            fence,
            removal: Removal::default(),
            views,
            report,
        };
        let worker = WorkerConfig {
            node: config.node,
            runtime,
            clock: config.clock,
            reports: Arc::clone(&reports),
            ledger,
            boot_id: config.boot_id,
        };
        let tasks = TaskTracker::new();
        spawn(&tasks, &stop, {
            let stop = stop.clone();
            async move {
                if let Some(worker) = stop.run_until_cancelled(Worker::new(worker)).await {
                    worker.run(heard, stop).await;
                }
            }
        });
        spawn(&tasks, &stop, connector.run());
        spawn(&tasks, &stop, {
            let stop = stop.clone();
            async move {
                stop.run_until_cancelled(applier.run()).await;
            }
        });
        tasks.close();
        Ok(Self { status: watched, reports, stop, tasks })
    }

    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> AgentStatus {
        self.status.borrow().clone()
    }

    /// Hears of every change of the status.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<AgentStatus> {
        self.status.clone()
    }

    /// Running tasks of this node that are recorded as such in the managers' log. Counts each record once.
    #[must_use]
    pub fn running_committed(&self) -> u64 {
        self.reports.running_committed()
    }

    /// Whether the managers have confirmed all that this node had to tell.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.reports.is_settled()
    }

    /// Waits until the agent has ended: shut down, or broken by a defect. The daemon then ends too, so that it is started anew and takes the
    /// containers over.
    pub fn ended(&self) -> impl Future<Output = ()> + use<> {
        let tasks = self.tasks.clone();
        async move { tasks.wait().await }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Ends the session and the worker, and waits for both. Containers run on.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs one of the agent's loops. None may end alone: half an agent would look alive and do nothing.
fn spawn(tasks: &TaskTracker, stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let last = stop.clone().drop_guard();
    tasks.spawn(async move {
        work.await;
        drop(last);
    });
}

async fn open_ledger(folder: Option<PathBuf>) -> Result<Ledger, LedgerError> {
    let Some(folder) = folder else { return Ok(Ledger::in_memory()) };
    let path = folder.clone();
    let opened = tokio::task::spawn_blocking(move || Ledger::open(&folder)).await;
    let opened = opened.unwrap_or_else(|error| Err(LedgerError::Io { path, what: "opened", source: std::io::Error::other(error) }))?;
    if let Some(aside) = opened.damaged {
        tracing::error!(path = %aside.display(), "the ledger was damaged and is put aside: running containers go on, the managers tell the rest");
    }
    Ok(opened.ledger)
}

/// Random, so that two agents with one identity differ.
fn nonce() -> String {
    IdStream::new(rand::random(), rand::random()).next_id::<cluster_types::id::TaskKind>().to_string()
}

#[cfg(test)]
mod tests;
