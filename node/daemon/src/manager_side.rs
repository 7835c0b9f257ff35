//! A node's manager side: its TLS port, its part of Raft, and the manager over both. Started when the node's certificate says manager and
//! stopped when it no longer does.

use std::net::SocketAddr;
use std::sync::Arc;

use cluster_api::guard::GuardLayer;
use cluster_api::{Credentials, incoming, tls};
use cluster_manager::{Manager, ManagerConfig};
use cluster_raft::{Raft, RaftConfig, Timing};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::config::DaemonConfig;
use crate::dial::ManagerDial;
use crate::error::DaemonError;
use crate::gate::Gate;
use crate::host::Host;
use crate::identity_store::StoredIdentity;
use crate::prober;

/// What the port of a manager that has no seat yet answers: there is somebody, but no service.
fn not_yet() -> Status {
    Status::unimplemented("this manager is not ready yet")
}

/// The port for other nodes.
pub(crate) struct Port {
    gate: Gate,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

/// A running manager.
pub(crate) struct ManagerSide {
    pub(crate) manager: Manager,
    port: Port,
}

impl Port {
    /// Opens it: until a manager is behind it, every call is told to wait.
    pub(crate) async fn open(config: &DaemonConfig, credentials: &Credentials) -> Result<Self, DaemonError> {
        let listener = TcpListener::bind(config.listen).await.map_err(|error| DaemonError::Host {
            step: "opening the managers' port",
            reason: format!("{} cannot be used: {error}; choose another --listen-addr", config.listen),
        })?;
        let tls = tls::server_config(credentials).map_err(DaemonError::host("setting TLS up"))?;
        let (gate, stop) = (Gate::closed(not_yet), CancellationToken::new());
        let routes = gate.routes(Routes::default());
        let (connections, stopped) = (incoming::tls(listener, tls), stop.clone());
        let server = tokio::spawn(async move {
            let server = Server::builder().add_routes(routes);
            if let Err(error) = server.serve_with_incoming_shutdown(connections, stopped.cancelled_owned()).await {
                tracing::error!(%error, "the managers' port has closed");
            }
        });
        Ok(Self { gate, stop, server })
    }

    async fn close(self) {
        self.gate.close();
        self.stop.cancel();
        // Streams may stay open for as long as their other end likes: they end with the task.
        self.server.abort();
        let _ = self.server.await;
    }
}

impl ManagerSide {
    /// Starts the manager over its part of Raft and puts it behind the port, and behind this host's socket. `advertise` is its
    /// node's address.
    pub(crate) fn start(host: &Host, raft: Raft, credentials: &Credentials, port: Port, advertise: SocketAddr) -> Self {
        let (certificate_lifetime, prober) = (host.config.certificate_life, prober::of(host, advertise));
        let settings = ManagerConfig { certificate_lifetime, prober, ..ManagerConfig::default() };
        let manager = Manager::start(settings, raft, credentials.clone());
        port.gate.open(guarded(manager.serve(), &manager));
        host.control.open(guarded(manager.control(), &manager));
        Self { manager, port }
    }

    /// Stops it: the port first, then leading, then Raft.
    pub(crate) async fn stop(self, local: &Gate) {
        local.close();
        self.port.close().await;
        let raft = self.manager.raft().clone();
        self.manager.stop().await;
        raft.shutdown().await;
    }
}

/// The guard is part of what is behind the door: it knows the nodes only when there is a manager.
fn guarded(routes: Routes, manager: &Manager) -> Routes {
    Routes::from(routes.into_axum_router().layer(GuardLayer::new(manager.admit())))
}

/// How this node's Raft is started.
pub(crate) fn raft_config(config: &DaemonConfig, identity: &StoredIdentity, credentials: &Credentials, raft_id: u64) -> RaftConfig {
    RaftConfig {
        dir: config.data_dir.join("raft"),
        raft_id,
        cluster_id: credentials.identity().cluster,
        address: identity.advertise,
        dial: Arc::new(ManagerDial(credentials.clone())),
        timing: Timing::default(),
    }
}
