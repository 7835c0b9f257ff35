//! A manager for tests: the dispatcher's protocol on loopback, and each session in the test's hands.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Said;
use cluster_api::pb::dispatcher_server::{Dispatcher, DispatcherServer};
use cluster_api::pb::manager_message::Item;
use cluster_types::{AssignmentDiff, TaskId, TaskState, TaskStatus, ViewDiff};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::{Dial, DialError};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Subscription of the message that stands for the end of a stream of lines.
pub(super) const LOG_ENDED: &str = "ended";

/// A channel without TLS.
pub(super) struct Plain;

impl Dial for Plain {
    fn dial(&self, address: &str) -> Result<Channel, DialError> {
        let failed = |error: tonic::transport::Error| DialError { address: address.to_owned(), reason: error.to_string() };
        Ok(Endpoint::from_shared(format!("http://{address}")).map_err(failed)?.connect_lazy())
    }
}

pub(super) struct FakeManager {
    pub(super) address: String,
    sessions: mpsc::Receiver<FakeSession>,
    logs: mpsc::Receiver<pb::PublishLogsRequest>,
    refusals: Arc<Mutex<VecDeque<Status>>>,
    _server: AbortOnDropHandle<()>,
}

/// A session as the manager sees it. Dropped, it breaks.
pub(super) struct FakeSession {
    pub(super) hello: pb::Hello,
    said: Streaming<pb::AgentMessage>,
    say: mpsc::Sender<Result<pb::ManagerMessage, Status>>,
    pub(super) term: u64,
    pub(super) sequence: u64,
    received: u64,
}

struct Service {
    sessions: mpsc::Sender<FakeSession>,
    logs: mpsc::Sender<pb::PublishLogsRequest>,
    refusals: Arc<Mutex<VecDeque<Status>>>,
}

#[tonic::async_trait]
impl Dispatcher for Service {
    type SessionStream = ReceiverStream<Result<pb::ManagerMessage, Status>>;

    async fn session(&self, request: Request<Streaming<pb::AgentMessage>>) -> Result<Response<Self::SessionStream>, Status> {
        if let Some(refusal) = self.refusals.lock().unwrap().pop_front() {
            return Err(refusal);
        }
        let mut said = request.into_inner();
        let Some(pb::AgentMessage { item: Some(Said::Hello(hello)) }) = said.message().await? else {
            return Err(Status::invalid_argument("no hello"));
        };
        let (say, answers) = mpsc::channel(64);
        let session = FakeSession { hello, said, say, term: 1, sequence: 0, received: 0 };
        self.sessions.send(session).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn publish_logs(&self, request: Request<Streaming<pb::PublishLogsRequest>>) -> Result<Response<pb::PublishLogsResponse>, Status> {
        let mut messages = request.into_inner();
        while let Ok(Some(message)) = messages.message().await {
            self.logs.send(message).await.map_err(|_| Status::unavailable("the test is over"))?;
        }
        let ended = pb::PublishLogsRequest { subscription: LOG_ENDED.to_owned(), ..pb::PublishLogsRequest::default() };
        self.logs.send(ended).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(pb::PublishLogsResponse {}))
    }

    async fn leave(&self, _: Request<pb::LeaveClusterRequest>) -> Result<Response<pb::LeaveClusterResponse>, Status> {
        Ok(Response::new(pb::LeaveClusterResponse {}))
    }
}

impl FakeManager {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sessions, opened) = mpsc::channel(1024);
        let (logs, published) = mpsc::channel(1024);
        let refusals = Arc::new(Mutex::new(VecDeque::new()));
        let service = Service { sessions, logs, refusals: Arc::clone(&refusals) };
        let serve = Server::builder().add_service(DispatcherServer::new(service)).serve_with_incoming(TcpListenerStream::new(listener));
        let server = AbortOnDropHandle::new(tokio::spawn(async move { serve.await.unwrap() }));
        Self { address, sessions: opened, logs: published, refusals, _server: server }
    }

    /// The next sessions are refused, one with each of these.
    pub(super) fn refuse(&self, statuses: impl IntoIterator<Item = Status>) {
        self.refusals.lock().unwrap().extend(statuses);
    }

    pub(super) fn refusals_left(&self) -> usize {
        self.refusals.lock().unwrap().len()
    }

    /// The next session, before its welcome.
    pub(super) async fn session(&mut self) -> FakeSession {
        timeout(PATIENCE, self.sessions.recv()).await.expect("no session came").unwrap()
    }

    /// The next session, welcomed in a term.
    pub(super) async fn welcome(&mut self, term: u64) -> FakeSession {
        let mut session = self.session().await;
        session.term = term;
        session.welcome(60_000).await;
        session
    }

    pub(super) async fn log(&mut self) -> pb::PublishLogsRequest {
        timeout(PATIENCE, self.logs.recv()).await.expect("no lines came").unwrap()
    }
}

impl FakeSession {
    pub(super) async fn welcome(&self, heartbeat_period_ms: u64) {
        self.say(Item::Welcome(pb::Welcome { heartbeat_period_ms, manager_addresses: Vec::new() })).await;
    }

    pub(super) async fn say(&self, item: Item) {
        let stamp = pb::Stamp { incarnation: 1, term: self.term, sequence: self.sequence };
        self.say.send(Ok(pb::ManagerMessage { stamp: Some(stamp), item: Some(item) })).await.unwrap();
    }

    pub(super) async fn assign(&mut self, diff: &AssignmentDiff) {
        self.piece(diff.into()).await;
    }

    pub(super) async fn piece(&mut self, piece: pb::Assignments) {
        self.sequence += 1;
        self.say(Item::Assignments(piece)).await;
    }

    /// A whole change of the network view.
    pub(super) async fn view(&mut self, diff: &ViewDiff) {
        self.view_piece(diff.into()).await;
    }

    /// Pieces of views do not count in the sequence.
    pub(super) async fn view_piece(&mut self, piece: pb::NetworkPiece) {
        self.say(Item::Network(piece)).await;
    }

    /// Waits for the next version that the agent acknowledges.
    pub(super) async fn applied(&mut self) -> u64 {
        loop {
            if let Said::NetworkApplied(applied) = self.next().await {
                return applied.version;
            }
        }
    }

    pub(super) async fn next(&mut self) -> Said {
        let message = timeout(PATIENCE, self.said.message()).await.expect("the agent said nothing").unwrap();
        message.expect("the agent closed the session").item.unwrap()
    }

    /// Waits until the agent gives the session up.
    pub(super) async fn ended(&mut self) {
        while let Ok(Some(_)) = timeout(PATIENCE, self.said.message()).await.expect("the agent kept the session") {}
    }

    /// Reads reports until a task is in a state, without confirming them.
    pub(super) async fn until(&mut self, task: TaskId, state: TaskState) -> TaskStatus {
        loop {
            let Said::Report(report) = self.next().await else { continue };
            self.received += report.tasks.len() as u64;
            for told in report.tasks {
                let status = TaskStatus::try_from(told.status.unwrap()).unwrap();
                if told.task == task.to_string() && status.state == state {
                    return status;
                }
            }
        }
    }

    /// Confirms everything that was read so far.
    pub(super) async fn confirm(&self) {
        self.say(Item::ReportsCommitted(self.received)).await;
    }
}
