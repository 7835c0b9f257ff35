//! One manager in a temporary directory, with its port of mutual TLS and its unix socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use cluster_api::guard::GuardLayer;
use cluster_api::incoming::{self, SocketConnection};
use cluster_api::pb::ca_client::CaClient;
use cluster_api::pb::control_client::ControlClient;
use cluster_api::pb::raft_client::RaftClient;
use cluster_api::{Credentials, pb, tls};
use cluster_manager::{Birth, FIRST_RAFT_ID, Manager, ManagerConfig, NewCluster, TlsDial};
use cluster_raft::{Raft, RaftConfig, Timing};
use cluster_types::{JoinToken, NetworkPool, NodeDescription, Platform, Reservation, Role};
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::{Layer as _, ServiceExt as _};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bed {
    pub(crate) manager: Manager,
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
    pub(crate) control: ControlClient<Channel>,
    gate: Gate,
    serving: Vec<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

pub(crate) fn description(hostname: &str) -> NodeDescription {
    NodeDescription {
        hostname: hostname.to_owned(),
        platform: Platform { os: "linux".into(), arch: "x86_64".into() },
        capacity: Reservation { nano_cpus: 4_000_000_000, memory: 8 << 30 },
        version: "test".into(),
        data_address: Some(std::net::Ipv4Addr::LOCALHOST),
        generic: Default::default(),
    }
}

fn raft_config(dir: &Path, raft_id: u64, address: SocketAddr, credentials: &Credentials) -> RaftConfig {
    let dial = Arc::new(TlsDial { credentials: credentials.clone() });
    let cluster_id = credentials.identity().cluster;
    RaftConfig { dir: dir.join("raft"), raft_id, cluster_id, address, dial, timing: Timing::default() }
}

impl Bed {
    /// A new cluster of one manager, which leads.
    pub(crate) async fn new() -> Self {
        Self::with(ManagerConfig::default()).await
    }

    pub(crate) async fn with(config: ManagerConfig) -> Self {
        // Shown when a test fails; `RUST_LOG` chooses what.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        drop(tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init());
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificate_lifetime = Duration::from_secs(3600);
        let (description, network) = (description("m1"), NetworkPool::standard());
        let birth = Birth { name: "test".into(), description, address, certificate_lifetime, network };
        let new = NewCluster::make(birth, config.clock.as_ref()).unwrap();
        let credentials = new.credentials().unwrap();
        let raft = Raft::bootstrap(raft_config(dir.path(), FIRST_RAFT_ID, address, &credentials)).await.unwrap();
        new.found(&raft, config.clock.as_ref()).await.unwrap();
        Self::serve(dir, address, open(listener, &credentials), config, raft, credentials)
    }

    /// Another manager of this cluster: it joins, opens its port, asks for its seat, and starts.
    pub(crate) async fn join_manager(&self, hostname: &str) -> Self {
        let credentials = self.join_with(&self.token(Role::Manager).await, hostname).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, port) = open(listener, &credentials);
        let request = pb::SeatRequest { address: address.to_string() };
        let seat = RaftClient::new(self.channel(&credentials)).seat(request).await.unwrap().into_inner();
        let dir = tempfile::tempdir().unwrap();
        let raft = Raft::start(raft_config(dir.path(), seat.raft_id, address, &credentials)).await.unwrap();
        Self::serve(dir, address, (gate, port), ManagerConfig::default(), raft, credentials)
    }

    fn serve(
        dir: tempfile::TempDir,
        address: SocketAddr,
        (gate, port): (Gate, JoinHandle<()>),
        config: ManagerConfig,
        raft: Raft,
        credentials: Credentials,
    ) -> Self {
        let manager = Manager::start(config, raft, credentials.clone());
        *gate.0.lock().unwrap() = Some((manager.serve(), GuardLayer::new(manager.admit())));
        let (control, socket) = socket(&dir.path().join("socket"), &manager);
        Self { manager, address, credentials, control, gate, serving: vec![port, socket], _dir: dir }
    }

    /// The manager's process dies: its port and its Raft are gone.
    pub(crate) async fn kill(self) {
        // Connections that are open outlive the port's task.
        *self.gate.0.lock().unwrap() = None;
        self.serving.iter().for_each(JoinHandle::abort);
        self.manager.raft().shutdown().await;
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
        let request = pb::CreateServiceRequest { spec: Some(spec(name, replicas)), request_id: String::new(), ..Default::default() };
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
                // What an agent was told makes no change of the state: look again in any case.
                if let Ok(message) = tokio::time::timeout(Duration::from_millis(50), changes.message()).await {
                    message.unwrap().unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    pub(crate) async fn until_state(&self, node: &str, state: pb::NodeState) {
        self.until(&format!("{node} is {state:?}"), async || self.node(node).await.status.unwrap().state() == state).await;
    }

    pub(crate) async fn until_ready(&self, node: &str) {
        self.until_state(node, pb::NodeState::NodeReady).await;
    }

    pub(crate) async fn scale(&self, name: &str, replicas: u64) -> pb::Service {
        let request = pb::UpdateServiceRequest { reference: name.into(), spec: Some(spec(name, replicas)), ..Default::default() };
        self.control.clone().update_service(request).await.unwrap().into_inner().service.unwrap()
    }

    pub(crate) async fn until_running(&self, name: &str, replicas: u64) {
        self.until("the service runs", async || self.service(name).await.running == replicas).await;
    }
}

pub(crate) fn spec(name: &str, replicas: u64) -> pb::ServiceSpec {
    use cluster_types::{ContainerSpec, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec};
    let container = ContainerSpec { image: "busybox".into(), ..ContainerSpec::default() };
    let restart = RestartPolicy { delay: Duration::ZERO, ..RestartPolicy::default() };
    let spec = ServiceSpec {
        name: name.into(),
        task: TaskSpec { container, restart, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        ..ServiceSpec::default()
    };
    (&spec).into()
}

/// A port whose services come later: it must be open before a manager asks for its seat.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Option<(Routes, GuardLayer)>>>);

fn open(listener: TcpListener, credentials: &Credentials) -> (Gate, JoinHandle<()>) {
    let gate = Gate::default();
    let connections = incoming::tls(listener, tls::server_config(credentials).unwrap());
    let routes = Routes::from(Routes::default().into_axum_router().fallback_service(gate.clone()));
    let port = tokio::spawn(async move { drop(Server::builder().add_routes(routes).serve_with_incoming(connections).await) });
    (gate, port)
}

impl<B> tower::Service<http::Request<B>> for Gate
where
    B: http_body_util::BodyExt<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let behind = self.0.lock().unwrap().clone();
        Box::pin(async move {
            let Some((routes, guard)) = behind else { return Ok(Status::failed_precondition("not ready yet").into_http()) };
            let service = tower::service_fn(move |request| {
                let routes = routes.clone();
                async move { routes.oneshot(request).await.map(|response| response.map(Body::new)) }
            });
            guard.layer(service).oneshot(request.map(Body::new)).await
        })
    }
}

/// Serves the manager's unix socket and connects to it.
fn socket(path: &Path, manager: &Manager) -> (ControlClient<Channel>, JoinHandle<()>) {
    let listener = UnixListenerStream::new(UnixListener::bind(path).unwrap());
    let connections = listener.map(|stream| stream.map(SocketConnection));
    let server = Server::builder().layer(GuardLayer::new(manager.admit())).add_routes(manager.control());
    let serving = tokio::spawn(async move { drop(server.serve_with_incoming(connections).await) });
    let path = path.to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    (ControlClient::new(Endpoint::from_static("http://socket").connect_with_connector_lazy(connector)), serving)
}
