//! A group of managers in one process, over real gRPC on loopback. Each has a runtime of its own, so that killing one stops it in the middle
//! of whatever it does and closes its connections, as the kernel does for a killed process.

#![allow(dead_code, reason = "each program that includes this uses a part of it")]
#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a test may panic and block")]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb::{SeatRequest, SeatResponse};
use cluster_raft::{Committed, PlainDial, ProposeError, Raft, RaftConfig, Seats, StartError, Timing};
use cluster_types::{
    Change, ClusterId, Entry, EntryMode, Meta, Node, NodeDescription, NodeId, NodeSpec, NodeStatus, Object, RequestId, Timestamp,
};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::{Request, Response, Status};

/// How long a test waits for something that must happen. Far longer than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const CLUSTER: ClusterId = ClusterId::from_bits(0xC1);

pub(crate) struct NoSeats;

#[tonic::async_trait]
impl Seats for NoSeats {
    async fn seat(&self, _: Request<SeatRequest>) -> Result<Response<SeatResponse>, Status> {
        Err(Status::unimplemented("no seats in this test"))
    }
}

/// One manager.
pub(crate) struct Manager {
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) dir: TempDir,
    timing: Timing,
    /// None while it is killed.
    running: Option<(Runtime, Raft)>,
}

pub(crate) fn config(id: u64, address: SocketAddr, dir: &Path, timing: Timing) -> RaftConfig {
    RaftConfig { dir: dir.to_owned(), raft_id: id, cluster_id: CLUSTER, address, dial: Arc::new(PlainDial), timing }
}

impl Manager {
    /// A new manager; the first one makes the group.
    pub(crate) fn new(id: u64, first: bool, timing: Timing) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut manager = Self { id, address, dir: TempDir::new().expect("a directory"), timing, running: None };
        manager.run(listener, first);
        manager
    }

    /// Starts it again, at the same address with the same directory.
    pub(crate) fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs");
        let listener = (0..1000)
            .find_map(|_| {
                // The killed one may hold the port for a moment.
                TcpListener::bind(self.address).map_err(|_| std::thread::sleep(Duration::from_millis(10))).ok()
            })
            .expect("the old port");
        self.run(listener, false);
    }

    /// What is in its directory now; it must be killed.
    pub(crate) fn backup(&self) -> TempDir {
        assert!(self.running.is_none(), "it runs");
        let copy = TempDir::new().expect("a directory");
        for entry in std::fs::read_dir(self.dir.path()).expect("its directory") {
            let entry = entry.expect("a file");
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
        }
        copy
    }

    /// The same address with an empty directory and another id, as an operator would put it back after losing its disk.
    pub(crate) fn renew(&mut self, id: u64) {
        self.id = id;
        self.dir = TempDir::new().expect("a directory");
        self.restart();
    }

    fn run(&mut self, listener: TcpListener, first: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let config = config(self.id, self.address, self.dir.path(), self.timing);
        let raft = runtime.block_on(async {
            let raft = start(config, first).await;
            listener.set_nonblocking(true).expect("a non-blocking listener");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a tokio listener");
            // Small answers must not wait for the acknowledgement of the ones before.
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener).map(|stream| {
                let stream = stream?;
                stream.set_nodelay(true).map(|()| stream)
            });
            let service = raft.service(Arc::new(NoSeats));
            tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
            raft
        });
        self.running = Some((runtime, raft));
    }

    pub(crate) fn raft(&self) -> &Raft {
        &self.running.as_ref().expect("it is killed").1
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Stops it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let (runtime, raft) = self.running.take().expect("it is killed");
        runtime.shutdown_background();
        drop(raft);
    }
}

async fn start(config: RaftConfig, first: bool) -> Raft {
    // The killed one's writer may still be closing the directory.
    for _ in 0..1000 {
        let started = if first { Raft::bootstrap(config.clone()).await } else { Raft::start(config.clone()).await };
        match started {
            Ok(raft) => return raft,
            Err(StartError::Directory { source, .. }) if source.kind() == std::io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("manager {} does not start: {error:?}", config.raft_id),
        }
    }
    panic!("manager {} never got its directory", config.raft_id)
}

/// Several managers.
pub(crate) struct Group {
    pub(crate) managers: Vec<Manager>,
}

impl Group {
    /// `size` voters with ids from 1 on.
    pub(crate) async fn new(size: u64) -> Self {
        Self::with(size, Timing::default()).await
    }

    pub(crate) async fn with(size: u64, timing: Timing) -> Self {
        // `RUST_LOG=info` shows what a failing test did. Another test may have begun the log already.
        let _ = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_test_writer().try_init();
        // Runtimes are made and dropped beside the test's own one.
        let managers = tokio::task::spawn_blocking(move || (1..=size).map(|id| Manager::new(id, id == 1, timing)).collect());
        let group = Self { managers: managers.await.expect("managers") };
        group.leader().await;
        for manager in &group.managers[1..] {
            group.seat(manager).await;
        }
        group
    }

    /// Makes a manager a voter.
    pub(crate) async fn seat(&self, manager: &Manager) {
        let leader = self.leader().await;
        leader.raft().add_learner(manager.id, manager.address).await.expect("a learner");
        leader.raft().promote(manager.id).await.expect("a voter");
    }

    /// The manager that leads and is ready; waits for one.
    pub(crate) async fn leader(&self) -> &Manager {
        let waiting = async {
            loop {
                let leads = |manager: &&Manager| manager.is_running() && manager.raft().leadership().borrow().is_self_and_ready;
                if let Some(leader) = self.managers.iter().find(leads) {
                    return leader;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no leader")
    }

    /// Proposes wherever the leader is, until it is committed.
    pub(crate) async fn propose(&self, entry: &Entry) -> Committed {
        let trying = async {
            loop {
                match self.leader().await.raft().propose(entry).await {
                    Ok(committed) => return committed,
                    Err(ProposeError::NotLeader { .. } | ProposeError::Timeout | ProposeError::Unavailable(_)) => {}
                    Err(error @ ProposeError::TooLarge { .. }) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, trying).await.expect("not committed")
    }

    /// Waits until every manager has node `number`, which is made here.
    pub(crate) async fn settle(&self, number: u64) {
        self.propose(&node(number, 0)).await;
        for manager in &self.managers {
            shows(manager.raft(), "the newest node", |view| view.node(node_id(number)).is_some()).await;
        }
    }

    pub(crate) async fn kill(&mut self, id: u64) {
        let mut manager = self.take(id);
        manager = tokio::task::spawn_blocking(move || {
            manager.kill();
            manager
        })
        .await
        .expect("killed");
        self.managers.push(manager);
    }

    pub(crate) async fn restart(&mut self, id: u64) {
        let mut manager = self.take(id);
        manager = tokio::task::spawn_blocking(move || {
            manager.restart();
            manager
        })
        .await
        .expect("restarted");
        self.managers.push(manager);
    }

    pub(crate) fn take(&mut self, id: u64) -> Manager {
        let place = self.managers.iter().position(|manager| manager.id == id).expect("a manager of that id");
        self.managers.remove(place)
    }

    pub(crate) fn manager(&self, id: u64) -> &Manager {
        self.managers.iter().find(|manager| manager.id == id).expect("a manager of that id")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A runtime must not be dropped inside another one.
        for manager in &mut self.managers {
            if manager.is_running() {
                manager.kill();
            }
        }
    }
}

/// Waits until a manager shows what `wanted` looks for.
pub(crate) async fn shows(raft: &Raft, what: &str, wanted: impl Fn(&cluster_state::View) -> bool) {
    let waiting = async {
        let (view, mut feed) = raft.subscribe();
        let mut view = view;
        while !wanted(&view) {
            feed.next().await.expect("it runs");
            view = raft.view();
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never showed {what}"));
}

pub(crate) fn node_id(number: u64) -> NodeId {
    NodeId::from_bits(u128::from(number))
}

/// An entry that makes node `number`, with a description of `padding` bytes.
pub(crate) fn node(number: u64, padding: usize) -> Entry {
    let description = NodeDescription { version: "x".repeat(padding), ..NodeDescription::default() };
    let node = Node {
        meta: Meta::default(),
        id: node_id(number),
        spec: NodeSpec::default(),
        description,
        status: NodeStatus::default(),
        manager: None,
        number: None,
        network: cluster_types::NodeNetwork::default(),
    };
    Entry {
        request: RequestId::from_bits(u128::from(number) << 64),
        at: Timestamp(1),
        mode: EntryMode::Atomic,
        changes: vec![Change::Create(Object::Node(node.into()))],
    }
}
