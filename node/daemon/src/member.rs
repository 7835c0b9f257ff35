//! A node that is in a cluster: its credentials, its agent, and its manager side when its certificate says manager.
//!
//! Its role follows its certificate and nothing else. The managers say when the role changed; a new certificate then starts or stops the
//! manager side.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cluster_agent::{Agent, AgentConfig};
use cluster_api::Credentials;
use cluster_raft::Raft;
use cluster_types::{NodeDescription, Role};
use futures::future::BoxFuture;

use crate::error::DaemonError;
use crate::host::Host;
use crate::identity_store::StoredIdentity;
use crate::manager_side::{ManagerSide, Port, raft_config};
use crate::{address, machine, managers};

/// A node that is in a cluster.
pub(crate) struct Member {
    pub(crate) identity: StoredIdentity,
    pub(crate) credentials: Credentials,
    pub(crate) agent: Agent,
    pub(crate) manager: Option<ManagerSide>,
    /// How often the managers had asked for a renewal when the last successful one began.
    renewals_seen: u64,
}

impl Member {
    /// Starts what the stored identity says: after a restart of the daemon, and at the end of a join.
    ///
    /// # Errors
    /// When the identity, the port, the log or the ledger cannot be used.
    pub(crate) async fn start(host: &Host, identity: StoredIdentity) -> Result<Self, DaemonError> {
        let credentials = credentials(&identity)?;
        let agent = start_agent(host, &identity, &credentials).await?;
        let mut member = Self { identity, credentials, agent, manager: None, renewals_seen: 0 };
        if let Err(error) = member.follow_role(host).await {
            member.agent.shutdown().await;
            return Err(error);
        }
        Ok(member)
    }

    /// Starts the first member of a new cluster, whose Raft runs already behind `port`.
    ///
    /// # Errors
    /// When the ledger cannot be used.
    pub(crate) async fn first(
        host: &Host,
        identity: StoredIdentity,
        credentials: Credentials,
        raft: Raft,
        port: Port,
    ) -> Result<Self, DaemonError> {
        let manager = ManagerSide::start(host, raft, &credentials, port, identity.advertise);
        let agent = start_agent(host, &identity, &credentials).await?;
        Ok(Self { identity, credentials, agent, manager: Some(manager), renewals_seen: 0 })
    }

    /// Whether this node is a manager by its certificate.
    pub(crate) fn role(&self) -> Role {
        self.credentials.identity().role
    }

    /// Managers that may be asked: those the cluster has now, when this node knows them, else those it joined by.
    pub(crate) fn managers(&self) -> Vec<String> {
        let Some(side) = &self.manager else { return self.identity.managers.clone() };
        let view = side.manager.raft().view();
        let mut seats: Vec<String> = view.nodes().filter_map(|node| Some(node.manager.as_ref()?.address.to_string())).collect();
        // This one may not be able to answer itself.
        seats.retain(|seat| *seat != self.identity.advertise.to_string());
        seats.push(self.identity.advertise.to_string());
        seats
    }

    /// Takes a new certificate, and the role that it gives.
    ///
    /// # Errors
    /// When no manager gives one, or the new role cannot be taken up; the old certificate stays in the first case.
    pub(crate) async fn renew(&mut self, host: &Host) -> Result<(), DaemonError> {
        // Read first: a role that changes while this renewal runs asks for another one.
        let wanted = self.agent.status().renewals_wanted;
        let (issued, key) = managers::renew(&self.managers(), &self.credentials).await?;
        let step = "keeping the new certificate";
        self.credentials.replace(&issued.certificate_pem, &key, &issued.root_pem).map_err(DaemonError::host(step))?;
        self.identity.certificate = issued.certificate_pem;
        self.identity.key = key;
        self.identity.root = issued.root_pem;
        if !issued.manager_addresses.is_empty() {
            self.identity.managers = issued.manager_addresses;
        }
        host.identities.save(&self.identity).map_err(DaemonError::host(step))?;
        tracing::info!(role = ?self.role(), "this node has a new certificate");
        self.follow_role(host).await?;
        self.renewals_seen = wanted;
        Ok(())
    }

    /// Starts or stops the manager side, as the certificate says.
    async fn follow_role(&mut self, host: &Host) -> Result<(), DaemonError> {
        match (self.role(), self.manager.is_some()) {
            (Role::Manager, false) => self.become_manager(host).await,
            (Role::Worker, true) => self.become_worker(host).await,
            (Role::Manager, true) | (Role::Worker, false) => Ok(()),
        }
    }

    async fn become_manager(&mut self, host: &Host) -> Result<(), DaemonError> {
        let port = Port::open(&host.config, &self.credentials).await?;
        let raft_id = match self.identity.raft_id {
            Some(raft_id) => raft_id,
            None => self.take_seat(host).await?,
        };
        let config = raft_config(&host.config, &self.identity, &self.credentials, raft_id);
        let raft = Raft::start(config).await.map_err(DaemonError::host("starting Raft"))?;
        self.manager = Some(ManagerSide::start(host, raft, &self.credentials, port, self.identity.advertise));
        Ok(())
    }

    /// A new seat begins with an empty log: what an earlier seat left is not this one's.
    async fn take_seat(&mut self, host: &Host) -> Result<u64, DaemonError> {
        remove_raft(&host.config.data_dir)?;
        let seat = managers::seat(&self.identity.managers, &self.credentials, self.identity.advertise.to_string()).await?;
        self.identity.raft_id = Some(seat.raft_id);
        self.identity.managers = seat.manager_addresses;
        host.identities.save(&self.identity).map_err(DaemonError::host("keeping this manager's seat"))?;
        Ok(seat.raft_id)
    }

    async fn become_worker(&mut self, host: &Host) -> Result<(), DaemonError> {
        self.identity.managers = self.managers();
        self.identity.managers.retain(|address| *address != self.identity.advertise.to_string());
        self.identity.raft_id = None;
        host.identities.save(&self.identity).map_err(DaemonError::host("giving this manager's seat up"))?;
        if let Some(side) = self.manager.take() {
            side.stop(&host.control).await;
        }
        remove_raft(&host.config.data_dir)
    }

    /// Ends what runs; containers go on.
    pub(crate) async fn stop(self, host: &Host) {
        self.agent.shutdown().await;
        if let Some(side) = self.manager {
            side.stop(&host.control).await;
        }
    }

    /// Raft, while this node is a manager.
    pub(crate) fn raft(&self) -> Option<Raft> {
        self.manager.as_ref().map(|side| side.manager.raft().clone())
    }

    /// Ends when a part has stopped, on purpose or not.
    pub(crate) fn stopped(&self) -> BoxFuture<'static, ()> {
        let (agent, raft) = (self.agent.ended(), self.raft());
        Box::pin(async move {
            match raft {
                Some(raft) => {
                    tokio::select! {
                        () = agent => {}
                        _ = raft.stopped() => {}
                    }
                }
                None => agent.await,
            }
        })
    }

    /// Why a part that should run does not.
    pub(crate) fn broken(&self) -> Option<String> {
        let raft = self.raft().and_then(|raft| raft.progress().stopped).map(|reason| format!("raft: {reason}"));
        raft.or_else(|| self.agent.has_ended().then(|| "the agent broke off: its log says why".to_owned()))
    }

    /// Ends when the managers want a renewal that has not begun.
    pub(crate) fn renewal_wanted(&self) -> impl Future<Output = ()> + use<> {
        let (mut status, seen) = (self.agent.watch(), self.renewals_seen);
        async move {
            if status.wait_for(|status| status.renewals_wanted > seen).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The credentials of a stored identity.
///
/// # Errors
/// When they cannot be used.
pub(crate) fn credentials(identity: &StoredIdentity) -> Result<Credentials, DaemonError> {
    Credentials::from_pem(&identity.certificate, &identity.key, &identity.root).map_err(DaemonError::host("reading this node's identity"))
}

async fn start_agent(host: &Host, identity: &StoredIdentity, credentials: &Credentials) -> Result<Agent, DaemonError> {
    let mut config = AgentConfig::new(credentials.identity().node, Arc::new(credentials.clone()), identity.managers.clone());
    config.data_dir = Some(host.config.data_dir.join("agent"));
    let underlay = address::underlay(identity.advertise);
    if let (Some(network), Some(underlay)) = (&host.containers.network, underlay) {
        network.set_underlay(underlay);
    }
    let generic = host.config.generic.clone();
    config.describe = Arc::new(move || NodeDescription { generic: generic.clone(), ..machine::describe(underlay) });
    config.data_path = Arc::clone(&host.containers.data_path);
    config.boot_id = machine::boot_id();
    Agent::start(config, Arc::clone(&host.containers.runtime)).await.map_err(DaemonError::host("starting the agent"))
}

/// Removes the log of a seat that this node no longer has.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn remove_raft(data_dir: &Path) -> Result<(), DaemonError> {
    remove_directory(&data_dir.join("raft")).map_err(DaemonError::host("removing an old Raft log"))
}

/// Removes a directory with all that is in it; nothing when it is not there.
pub(crate) fn remove_directory(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
