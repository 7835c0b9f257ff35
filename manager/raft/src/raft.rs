//! The handle on this manager's Raft. A clone is cheap and means the same one.
//!
//! Opening and closing is here; what one does with it is in the files beside: [`propose`], [`membership`], [`leadership`], [`status`].

pub mod config;
pub mod error;
pub mod identity;
pub mod leadership;
pub mod membership;
pub mod propose;
pub mod status;
mod upkeep;
pub mod vigil;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_api::pb::raft_server::RaftServer;
use cluster_state::View;
use openraft::BasicNode;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::disk::Directory;
use crate::log::store::LogStore;
use crate::machine::Machine;
use crate::machine::feed::Subscription;
use crate::machine::publisher::Publisher;
use crate::machine::snapshots::Snapshots;
use crate::network::client::Network;
use crate::network::service::{Seats, Service};
use crate::network::wire::Label;
use crate::types::Types;
use config::RaftConfig;
use error::StartError;
use identity::Identity;
use leadership::Leadership;
use vigil::Vigil;

/// This manager's part of the group.
#[derive(Clone)]
pub struct Raft {
    inner: Arc<Inner>,
}

struct Inner {
    raft: openraft::Raft<Types, Machine>,
    log: LogStore,
    publisher: Arc<Publisher>,
    snapshots: Arc<Snapshots>,
    config: RaftConfig,
    leadership: watch::Receiver<Leadership>,
    vigil: Arc<Vigil>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Raft {
    /// Starts the first manager of a new cluster: the group's only member. Repeating it after a crash is safe; on a directory that is part
    /// of a group already, it is [`Raft::start`].
    ///
    /// # Errors
    /// When the directory cannot be used, is another manager's, or is damaged.
    pub async fn bootstrap(config: RaftConfig) -> Result<Self, StartError> {
        let (id, address) = (config.raft_id, config.address);
        let raft = Self::start(config).await?;
        let stopped = |error: &dyn std::fmt::Display| StartError::Stopped(error.to_string());
        if !raft.inner.raft.is_initialized().await.map_err(|error| stopped(&error))? {
            let members = BTreeMap::from([(id, BasicNode::new(address.to_string()))]);
            raft.inner.raft.initialize(members).await.map_err(|error| stopped(&error))?;
        }
        Ok(raft)
    }

    /// Starts a manager again, or a new one that waits for the leader to add it.
    ///
    /// # Errors
    /// When the directory cannot be used, is another manager's, or is damaged.
    pub async fn start(config: RaftConfig) -> Result<Self, StartError> {
        let settings = Arc::new(config.timing.settings(&config.cluster_id)?);
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || Opened::open(&opening));
        let Opened { log, publisher, snapshots, machine } = opened.await.map_err(|error| StartError::Stopped(error.to_string()))??;
        let (sender, leadership) = watch::channel(Leadership::default());
        let vigil = Arc::new(Vigil::new(leadership.clone()));
        let network = Network::new(&config, vigil.clone());
        let peers = network.peers();
        let raft = openraft::Raft::new(config.raft_id, settings, network, log.clone(), machine)
            .await
            .map_err(|error| StartError::Stopped(error.to_string()))?;
        let tasks = vec![
            tokio::spawn(leadership::follow(raft.clone(), sender)),
            tokio::spawn(upkeep::run(raft.clone(), log.clone(), config.raft_id)),
            tokio::spawn(vigil::keep(vigil.clone(), raft.clone(), leadership.clone(), peers)),
        ];
        Ok(Self { inner: Arc::new(Inner { raft, log, publisher, snapshots, config, leadership, vigil, tasks }) })
    }

    /// The newest state that this manager has applied. No I/O; on a follower, and on a leader that has just been replaced, it may be old:
    /// [`Raft::barrier`] before it makes it exact.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.inner.publisher.view()
    }

    /// The newest state and what happens after it, without a gap.
    #[must_use]
    pub fn subscribe(&self) -> (Arc<View>, Subscription) {
        self.inner.publisher.subscribe()
    }

    /// The service that other managers call; `seats` answers new ones.
    #[must_use]
    pub fn service(&self, seats: Arc<dyn Seats>) -> RaftServer<Service> {
        let label = Label { cluster: self.inner.config.cluster_id, target: self.inner.config.raft_id };
        Service::new(label, self.inner.raft.clone(), self.inner.snapshots.clone(), self.inner.vigil.clone(), seats)
    }

    /// Stops taking part and closes the log. What was acknowledged is on disk.
    pub async fn shutdown(&self) {
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        self.inner.tasks.iter().for_each(JoinHandle::abort);
        let log = self.inner.log.clone();
        // The writer's thread is waited for, so that the directory is free afterwards.
        let _ = tokio::task::spawn_blocking(move || log.stop()).await;
    }
}

/// What is opened before Raft runs.
struct Opened {
    log: LogStore,
    publisher: Arc<Publisher>,
    snapshots: Arc<Snapshots>,
    machine: Machine,
}

impl Opened {
    /// Blocks on the disk.
    fn open(config: &RaftConfig) -> Result<Self, StartError> {
        let directory = StartError::directory(&config.dir);
        let disk = Arc::new(Directory::open(&config.dir).map_err(directory)?);
        Identity::of(config).check(&config.dir)?;
        let log = LogStore::open(disk.clone())?;
        let snapshots = Arc::new(Snapshots::open(Arc::new(disk.without_lock())).map_err(StartError::directory(&config.dir))?);
        let publisher = Arc::<Publisher>::default();
        let machine = Machine::open(publisher.clone(), snapshots.clone()).map_err(StartError::directory(&config.dir))?;
        Ok(Self { log, publisher, snapshots, machine })
    }
}
