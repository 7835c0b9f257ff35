//! The dispatcher: the sessions with the agents of all nodes. Only the leader has any; another manager sends agents to it.

mod handle;
mod leave;
pub(crate) mod looks;
mod pieces;
pub(crate) mod reports;
pub(crate) mod routes;
mod session;
pub(crate) mod sessions;

use std::sync::Arc;

use cluster_api::pb::dispatcher_server::Dispatcher;
use cluster_api::{Caller, Peer, pb};
use cluster_decide::admission::{Arrival, Verdict};
use cluster_decide::liveness;
use cluster_types::{Node, NodeId, Role};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use session::Session;

use crate::core::Core;

/// Messages that may be on their way to one agent.
const OUTBOX: usize = 8;
/// From the opening of a stream to the agent's first message.
const HELLO_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Longest nonce or boot id, in bytes.
const NONCE_BYTES: usize = 128;

/// The dispatcher service of one manager.
#[derive(Clone)]
pub(crate) struct DispatcherService {
    pub(crate) core: Arc<Core>,
}

#[tonic::async_trait]
impl Dispatcher for DispatcherService {
    type SessionStream = BoxStream<'static, Result<pb::ManagerMessage, Status>>;

    async fn session(&self, request: Request<Streaming<pb::AgentMessage>>) -> Result<Response<Self::SessionStream>, Status> {
        let caller = Caller::of(&request)?;
        let node = caller.node.ok_or_else(|| Status::unauthenticated("a session needs a node's certificate"))?;
        let (role, address) = peer(&request);
        let term = self.core.term().ok_or_else(|| self.core.not_leading())?;
        let mut inbox = request.into_inner();
        let hello = hello(&mut inbox).await?;
        let arrival = Arrival { nonce: hello.nonce, boot: hello.boot_id };
        let silence = liveness::heartbeat_period(self.core.raft.view().node_count()) * 2;
        let handle = self.core.sessions.open(node, arrival, silence, self.core.clock.now()).map_err(|verdict| refused(node, verdict))?;
        tracing::info!(%node, address, "session opened");
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let session = Session::new(Arc::clone(&self.core), term, handle, outbox, role, address);
        tokio::spawn(session.run(hello.description, inbox));
        Ok(Response::new(ReceiverStream::new(messages).boxed()))
    }

    async fn publish_logs(&self, request: Request<Streaming<pb::PublishLogsRequest>>) -> Result<Response<pb::PublishLogsResponse>, Status> {
        let node = Caller::of(&request)?.node.ok_or_else(|| Status::unauthenticated("logs come from nodes"))?;
        self.core.logs.publish(&self.core, node, request.into_inner()).await?;
        Ok(Response::new(pb::PublishLogsResponse {}))
    }

    async fn leave(&self, request: Request<pb::LeaveClusterRequest>) -> Result<Response<pb::LeaveClusterResponse>, Status> {
        let node = Caller::of(&request)?.node.ok_or_else(|| Status::unauthenticated("only a node can leave"))?;
        leave::leave(&self.core, node, request.into_inner().force).await?;
        Ok(Response::new(pb::LeaveClusterResponse {}))
    }
}

/// The role in the caller's certificate, and its address.
fn peer<T>(request: &Request<T>) -> (Role, String) {
    match request.extensions().get::<Peer>() {
        Some(Peer::Network { identity, address }) => {
            let role = identity.as_ref().map_or(Role::Worker, |identity| identity.role);
            (role, address.ip().to_string())
        }
        Some(Peer::Socket) | None => (Role::Worker, String::new()),
    }
}

/// The first message, which must be a hello.
async fn hello(inbox: &mut Streaming<pb::AgentMessage>) -> Result<pb::Hello, Status> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, inbox.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no hello came"))??.and_then(|message| message.item);
    match first {
        Some(pb::agent_message::Item::Hello(hello)) if hello.nonce.len() <= NONCE_BYTES && hello.boot_id.len() <= NONCE_BYTES => Ok(hello),
        Some(_) | None => Err(Status::invalid_argument("the first message of a session is a hello with a short nonce and boot id")),
    }
}

fn refused(node: NodeId, verdict: Verdict) -> Status {
    tracing::error!(%node, ?verdict, "ALARM: two machines use the identity of one node; one of them is a copy: remove its state and let it join anew");
    Status::already_exists(match verdict {
        Verdict::Copied => {
            "another machine has a live session as this node: one of the two is a copy; empty its state directory and join anew"
        }
        Verdict::Replaced | Verdict::Open => "another start of this node's agent took its place: is a copy of the machine running?",
    })
}

/// What a node hears that the cluster no longer knows.
fn removed() -> Status {
    Status::permission_denied("this node was removed from the cluster: leave and join again")
}

/// The role that a node's certificate should have: a manager stays one until it has left the Raft group.
pub(crate) fn role(node: &Node) -> Role {
    match (node.spec.role, &node.manager) {
        (Role::Worker, None) => Role::Worker,
        (Role::Worker, Some(_)) | (Role::Manager, _) => Role::Manager,
    }
}
