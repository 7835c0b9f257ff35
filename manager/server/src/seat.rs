//! Seats in the Raft group: a new manager asks for one, and the leader keeps the group's members equal to the seats in the state, one
//! change at a time (failures D2 to D7).
//!
//! A seat is given by a log entry, so that every manager knows of it; its Raft id is a log index, so that it is never used again. A manager
//! leaves the group before its role changes. The leader never removes itself: it hands the lead over first.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb::ca_client::CaClient;
use cluster_api::{ApiError, Caller, pb};
use cluster_decide::membership;
use cluster_raft::{Feed, MembershipError, Seats};
use cluster_types::{Change, EventKind, ManagerSeat, Node, NodeId, NodeStep, Object, Role};
use tonic::{Code, Request, Response, Status};

use crate::control::cluster::manager_addresses;
use crate::core::Core;
use crate::request::Key;

/// How long the new manager's port may take to answer.
const DIAL_BACK: Duration = Duration::from_secs(3);
/// After a change, or a try of one.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest time without a look at who answers.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A member that was heard so long ago answers no more.
const SILENCE: Duration = Duration::from_secs(2);
/// Entries that a learner may lack when it gets its vote.
const CAUGHT_UP: u64 = 100;

/// Gives seats. The leader's part of the Raft service.
pub(crate) struct SeatGiver {
    pub(crate) core: Arc<Core>,
}

#[tonic::async_trait]
impl Seats for SeatGiver {
    async fn seat(&self, request: Request<pb::SeatRequest>) -> Result<Response<pb::SeatResponse>, Status> {
        let node = Caller::of(&request)?.node.ok_or_else(|| Status::unauthenticated("only a manager takes a seat"))?;
        let key = Key::added("Seat", request.metadata());
        let address = request.get_ref().address.parse();
        let address: SocketAddr =
            address.map_err(|_| cluster_api::FieldError::new("address", "HOST:PORT with an IP address is expected"))?;
        let view = self.core.read_current().await?;
        let known = view.node(node).ok_or_else(|| ApiError::denied("this node was removed from the cluster: leave and join again"))?;
        if known.spec.role != Role::Manager {
            return Err(ApiError::precondition("this node is a worker: `cluster node promote` makes it a manager").into());
        }
        dial_back(&self.core, address).await?;
        let seat = ManagerSeat { raft_id: self.core.unique_index().await?, address };
        let view = self.core.propose(key, vec![Change::Node(node, NodeStep::Seat(Some(seat)))]).await?;
        // When the request was tried before, the seat of the first try counts.
        let seat =
            view.node(node).and_then(|node| node.manager.clone()).ok_or_else(|| ApiError::conflict("the seat was taken away again"))?;
        tracing::info!(%node, raft_id = seat.raft_id, %address, "a manager got its seat");
        Ok(Response::new(pb::SeatResponse { raft_id: seat.raft_id, manager_addresses: manager_addresses(&view) }))
    }
}

/// Whether the managers can reach a new one (failures D8). Any answer over mutual TLS will do: its services come up when it has its seat.
async fn dial_back(core: &Core, address: SocketAddr) -> Result<(), ApiError> {
    let unreachable = |why: String| {
        ApiError::precondition(format!("the managers cannot reach the new one at {address}: {why}"))
            .hint("open that port between the managers, or give another address with --advertise-addr")
    };
    let mut client = CaClient::new(core.channel(address)?);
    let answer = tokio::time::timeout(DIAL_BACK, client.get_root(pb::GetRootRequest {})).await;
    match answer.map(|answer| answer.map_err(|status| (status.code(), status))) {
        Ok(Err((Code::Unavailable | Code::Unknown | Code::Cancelled, status))) => Err(unreachable(status.message().to_owned())),
        Ok(Ok(_) | Err(_)) => Ok(()),
        Err(_) => Err(unreachable(format!("no answer within {} s", DIAL_BACK.as_secs()))),
    }
}

/// Keeps the group's members equal to the seats until it is dropped. Only the leader runs it.
pub(crate) async fn members(core: &Core) {
    let (_, mut feed) = core.raft.subscribe();
    loop {
        if let Some(task) = next_task(core) {
            tracing::info!(?task, "changing the managers' group");
            if let Err(error) = carry_out(core, task).await {
                tracing::warn!(?task, %error, "the managers' group did not change; trying again");
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        // A learner that catches up, or a member that is heard again, makes no event.
        if let Ok(false) = tokio::time::timeout(LOOK_AGAIN, changed(&mut feed)).await {
            return;
        }
    }
}

/// Waits until a node changed in what matters here.
async fn changed(feed: &mut cluster_raft::Subscription) -> bool {
    loop {
        match feed.next().await {
            Some(Feed::Applied(applied))
                if applied.events.iter().any(|event| matters(&event.object, event.before.as_ref(), event.kind)) =>
            {
                return true;
            }
            Some(Feed::Applied(_)) => {}
            Some(Feed::Resync) => return true,
            None => return false,
        }
    }
}

fn matters(object: &Object, before: Option<&Object>, kind: EventKind) -> bool {
    match (object, before) {
        (Object::Node(node), Some(Object::Node(before))) if kind == EventKind::Updated => {
            node.manager != before.manager || node.spec.role != before.spec.role
        }
        (Object::Node(_), _) => true,
        (Object::Cluster(_) | Object::Service(_) | Object::Task(_) | Object::Network(_), _) => false,
    }
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// A change of the group.
    Group(membership::Step),
    /// A member is gone: its node gives its seat up.
    Vacate(NodeId),
    /// A member is reached at another address.
    Move(u64, SocketAddr),
}

fn next_task(core: &Core) -> Option<Task> {
    let view = core.raft.view();
    view.cluster()?;
    let group = group(core);
    if let Some(step) = membership::next(&view, &group) {
        return Some(Task::Group(step));
    }
    let is_member = |seat: &ManagerSeat| group.voters.contains(&seat.raft_id) || group.learners.contains(&seat.raft_id);
    let leaver = |node: &&Arc<Node>| node.spec.role == Role::Worker && node.manager.as_ref().is_some_and(|seat| !is_member(seat));
    if let Some(leaver) = view.nodes().find(leaver) {
        return Some(Task::Vacate(leaver.id));
    }
    let members = core.raft.membership();
    let moved = |seat: &&ManagerSeat| members.voters.iter().any(|member| member.id == seat.raft_id && member.address != Some(seat.address));
    view.nodes().filter_map(|node| node.manager.as_ref()).find(moved).map(|seat| Task::Move(seat.raft_id, seat.address))
}

/// The group as this leader sees it.
fn group(core: &Core) -> membership::Group {
    let (members, progress) = (core.raft.membership(), core.raft.progress());
    let near_end = |matched: &Option<u64>| matched.is_some_and(|matched| matched + CAUGHT_UP >= progress.last.unwrap_or(0));
    membership::Group {
        own: own(core),
        voters: members.voters.iter().map(|member| member.id).collect(),
        learners: members.learners.iter().map(|member| member.id).collect(),
        reachable: reachable(core),
        caught_up: progress.members.iter().filter(|(_, matched)| near_end(matched)).map(|(id, _)| *id).collect(),
    }
}

/// Raft ids of the members that answer, this manager's among them.
pub(crate) fn reachable(core: &Core) -> BTreeSet<u64> {
    let heard = core.raft.progress().heard.into_iter();
    let answering = heard.filter(|(_, ago)| ago.is_some_and(|ago| ago <= SILENCE)).map(|(id, _)| id);
    answering.chain([own(core)]).collect()
}

fn own(core: &Core) -> u64 {
    core.raft.leadership().borrow().leader.map_or(0, |(id, _)| id)
}

async fn carry_out(core: &Core, task: Task) -> Result<(), ApiError> {
    match task {
        Task::Group(membership::Step::AddLearner { node, raft_id }) => {
            let view = core.raft.view();
            let seat = view.node(node).and_then(|node| node.manager.as_ref());
            let seat = seat.ok_or_else(|| ApiError::conflict("the seat was taken away again"))?;
            core.raft.add_learner(raft_id, seat.address).await.map_err(refusal)
        }
        Task::Group(membership::Step::Promote { raft_id }) => core.raft.promote(raft_id).await.map_err(refusal),
        Task::Group(membership::Step::Remove { raft_id }) => core.raft.remove(raft_id).await.map_err(refusal),
        Task::Group(membership::Step::TransferLeadership { to }) => core.raft.transfer_leader(to).await.map_err(refusal),
        Task::Vacate(node) => core.propose(Key::random(), vec![Change::Node(node, NodeStep::Seat(None))]).await.map(|_| ()),
        Task::Move(raft_id, address) => core.raft.move_to(raft_id, address).await.map_err(refusal),
    }
}

/// Takes a manager out of the group at once, because its node is to be removed.
pub(crate) async fn vacate(core: &Core, node: &Node) -> Result<(), ApiError> {
    let Some(seat) = &node.manager else { return Ok(()) };
    core.propose(Key::random(), vec![Change::Node(node.id, NodeStep::Seat(None))]).await?;
    core.raft.remove(seat.raft_id).await.or_else(|error| match error {
        // The loop is at it already.
        MembershipError::Busy => Ok(()),
        error => Err(refusal(error)),
    })
}

fn refusal(error: MembershipError) -> ApiError {
    match error {
        MembershipError::NotLeader { .. } | MembershipError::Stopped(_) => ApiError::no_leader(error.to_string()),
        MembershipError::Busy | MembershipError::Timeout => ApiError::unavailable(error.to_string()),
        MembershipError::Refused(_) => ApiError::precondition(error.to_string()),
    }
}
