//! One manager: what a daemon starts when its node's role is manager, and the services that it then serves.

mod creation;

use std::sync::Arc;
use std::time::Duration;

use cluster_api::Credentials;
use cluster_api::guard::Admit;
use cluster_api::pb::ca_server::CaServer;
use cluster_api::pb::control_server::ControlServer;
use cluster_api::pb::dispatcher_server::DispatcherServer;
use cluster_raft::Raft;
use cluster_types::limits::MESSAGE_BYTES;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use creation::{Birth, FIRST_RAFT_ID, NewCluster};

use crate::ca::{CaService, DEFAULT_LIFETIME, Probes};
use crate::clock::{Clock, SystemClock};
use crate::control::ControlService;
use crate::core::Core;
use crate::dispatcher::DispatcherService;
use crate::forward::Forward;
use crate::leader;
use crate::prober::Prober;
use crate::seat::SeatGiver;

/// How a manager runs.
#[derive(Clone)]
pub struct ManagerConfig {
    /// How long the certificates that it issues hold.
    pub certificate_lifetime: Duration,
    /// Where it takes the time from.
    pub clock: Arc<dyn Clock>,
    /// What probes the overlay for nodes that join; without one they join unprobed.
    pub prober: Option<Arc<dyn Prober>>,
}

impl Default for ManagerConfig {
    fn default() -> Self {
        Self { certificate_lifetime: DEFAULT_LIFETIME, clock: Arc::new(SystemClock::default()), prober: None }
    }
}

/// A running manager. Dropping it stops its work as a leader, but not Raft, which its owner shuts down.
pub struct Manager {
    core: Arc<Core>,
    probes: Probes,
    stop: CancellationToken,
    leading: JoinHandle<()>,
}

impl Manager {
    /// Starts a manager over its part of Raft. `credentials` are its node's; when they are replaced, new connections use the new ones.
    #[must_use]
    pub fn start(config: ManagerConfig, raft: Raft, credentials: Credentials) -> Self {
        let core = Arc::new(Core::new(raft, config.clock, credentials, config.certificate_lifetime));
        let stop = CancellationToken::new();
        let leading = tokio::spawn(leader::run(Arc::clone(&core), stop.clone()));
        Self { core, probes: Probes::new(config.prober), stop, leading }
    }

    /// The services for the port of mutual TLS: Control, Ca, Dispatcher, Raft. They must be behind [`cluster_api::guard::GuardLayer`] with
    /// [`Manager::admit`].
    #[must_use]
    pub fn serve(&self) -> Routes {
        let core = || Arc::clone(&self.core);
        let ca = CaServer::new(CaService { core: core(), probes: self.probes.clone() }).max_decoding_message_size(MESSAGE_BYTES);
        let dispatcher = DispatcherServer::new(DispatcherService { core: core() }).max_decoding_message_size(MESSAGE_BYTES);
        let raft = self.core.raft.service(Arc::new(SeatGiver { core: core() }));
        self.control()
            .add_service(Forward::new(&self.core, ca))
            .add_service(Forward::new(&self.core, dispatcher))
            .add_service(Forward::new(&self.core, raft))
    }

    /// The service for the unix socket: Control. It must be behind the guard too.
    #[must_use]
    pub fn control(&self) -> Routes {
        let control = ControlServer::new(ControlService { core: Arc::clone(&self.core) }).max_decoding_message_size(MESSAGE_BYTES);
        Routes::new(Forward::new(&self.core, control))
    }

    /// Whom the guard lets through: nodes that the cluster knows.
    #[must_use]
    pub fn admit(&self) -> Admit {
        let core = Arc::clone(&self.core);
        Arc::new(move |node| core.admits(node))
    }

    /// Raft, for status and shutdown.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.core.raft
    }

    /// Stops leading work and waits for its end. Raft goes on until it is shut down.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Err(error) = (&mut self.leading).await {
            tracing::error!(%error, "the leader's work ended badly");
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
