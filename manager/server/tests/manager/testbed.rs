//! One manager in a temporary directory, with its port of mutual TLS and its unix socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::guard::GuardLayer;
use cluster_api::incoming::{self, SocketConnection};
use cluster_api::pb::ca_client::CaClient;
use cluster_api::pb::control_client::ControlClient;
use cluster_api::{Credentials, pb, tls};
use cluster_manager::{Birth, FIRST_RAFT_ID, Manager, ManagerConfig, NewCluster, SystemClock, TlsDial};
use cluster_raft::{Raft, RaftConfig, Timing};
use cluster_types::{JoinToken, NodeDescription, Platform, Reservation, Role};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Server};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bed {
    pub(crate) manager: Manager,
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
    pub(crate) control: ControlClient<Channel>,
    _dir: tempfile::TempDir,
}

pub(crate) fn description(hostname: &str) -> NodeDescription {
    NodeDescription {
        hostname: hostname.to_owned(),
        platform: Platform { os: "linux".into(), arch: "x86_64".into() },
        capacity: Reservation { nano_cpus: 4_000_000_000, memory: 8 << 30 },
        version: "test".into(),
    }
}

pub(crate) fn raft_config(dir: &std::path::Path, new: &NewCluster, address: SocketAddr, credentials: &Credentials) -> RaftConfig {
    let dial = Arc::new(TlsDial { credentials: credentials.clone() });
    RaftConfig { dir: dir.join("raft"), raft_id: FIRST_RAFT_ID, cluster_id: new.cluster, address, dial, timing: Timing::default() }
}

impl Bed {
    /// A new cluster of one manager, which leads.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = SystemClock::default();
        let certificate_lifetime = Duration::from_secs(3600);
        let birth = Birth { name: "test".into(), description: description("m1"), address, certificate_lifetime };
        let new = NewCluster::make(birth, &clock).unwrap();
        let credentials = new.credentials().unwrap();
        let raft = Raft::bootstrap(raft_config(dir.path(), &new, address, &credentials)).await.unwrap();
        new.found(&raft, &clock).await.unwrap();
        let manager = Manager::start(ManagerConfig::default(), raft, credentials.clone());
        let connections = incoming::tls(listener, tls::server_config(&credentials).unwrap());
        let server = Server::builder().layer(GuardLayer::new(manager.admit())).add_routes(manager.serve());
        tokio::spawn(server.serve_with_incoming(connections));
        let control = socket(&dir.path().join("socket"), &manager).await;
        Self { manager, address, credentials, control, _dir: dir }
    }

    pub(crate) async fn token(&self, role: Role) -> JoinToken {
        let request = pb::GetJoinTokenRequest { role: pb::Role::from(role).into(), rotate: false };
        self.control.clone().get_join_token(request).await.unwrap().into_inner().token.parse().unwrap()
    }

    /// Lets a node in as a worker.
    pub(crate) async fn join(&self, hostname: &str) -> Credentials {
        self.join_with(&self.token(Role::Worker).await, hostname).await.unwrap()
    }

    pub(crate) async fn join_with(&self, token: &JoinToken, hostname: &str) -> Result<Credentials, Status> {
        let channel = tls::connect_pinned(&self.address.to_string(), token.ca_digest).unwrap();
        let (key, csr_pem) = cluster_manager::ca::key_and_request().unwrap();
        let (token, description) = (token.to_string(), Some((&description(hostname)).into()));
        let request = pb::IssueRequest { token, csr_pem, description, advertise_address: "127.0.0.1".into() };
        let issued = CaClient::new(channel).issue(request).await?.into_inner();
        Ok(Credentials::from_pem(&issued.certificate_pem, &key, &issued.root_pem).unwrap())
    }

    pub(crate) fn channel(&self, credentials: &Credentials) -> Channel {
        tls::connect(&self.address.to_string(), credentials).unwrap()
    }

    pub(crate) async fn create(&self, name: &str, replicas: u64) -> pb::Service {
        let request = pb::CreateServiceRequest { spec: Some(spec(name, replicas)), request_id: String::new() };
        self.control.clone().create_service(request).await.unwrap().into_inner().service.unwrap()
    }

    pub(crate) async fn service(&self, name: &str) -> pb::Service {
        let request = pb::ListServicesRequest { reference: name.into(), ..Default::default() };
        self.control.clone().list_services(request).await.unwrap().into_inner().services.remove(0)
    }

    pub(crate) async fn node(&self, name: &str) -> pb::Node {
        let request = pb::ListNodesRequest { reference: name.into(), ..Default::default() };
        self.control.clone().list_nodes(request).await.unwrap().into_inner().nodes.remove(0)
    }

    pub(crate) async fn tasks(&self, service: &str) -> Vec<pb::Task> {
        let request = pb::ListTasksRequest { service: service.into(), ..Default::default() };
        self.control.clone().list_tasks(request).await.unwrap().into_inner().tasks
    }

    /// Waits, woken by the watch, until `holds`.
    pub(crate) async fn until<F: AsyncFnMut() -> bool>(&self, what: &str, mut holds: F) {
        let waiting = async {
            let mut changes = self.control.clone().watch(pb::WatchRequest::default()).await.unwrap().into_inner();
            while !holds().await {
                changes.message().await.unwrap().unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    pub(crate) async fn until_running(&self, name: &str, replicas: u64) {
        self.until("the service runs", async || self.service(name).await.running == replicas).await;
    }
}

pub(crate) fn spec(name: &str, replicas: u64) -> pb::ServiceSpec {
    use cluster_types::{ContainerSpec, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec, UpdateConfig};
    let container = ContainerSpec { image: "busybox".into(), ..ContainerSpec::default() };
    let restart = RestartPolicy { delay: Duration::ZERO, ..RestartPolicy::default() };
    let spec = ServiceSpec {
        name: name.into(),
        labels: Default::default(),
        task: TaskSpec { container, restart, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        update: UpdateConfig::default(),
        ports: Vec::new(),
    };
    (&spec).into()
}

/// Serves the manager's unix socket and connects to it.
pub(crate) async fn socket(path: &std::path::Path, manager: &Manager) -> ControlClient<Channel> {
    let listener = UnixListenerStream::new(UnixListener::bind(path).unwrap());
    let connections = listener.map(|stream| stream.map(SocketConnection));
    let server = Server::builder().layer(GuardLayer::new(manager.admit())).add_routes(manager.control());
    tokio::spawn(server.serve_with_incoming(connections));
    let path = path.to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    ControlClient::new(Endpoint::from_static("http://socket").connect_with_connector_lazy(connector))
}
