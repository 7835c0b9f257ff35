//! Messages between managers: each is its own, so they may be lost, late, doubled and out of order. The product's connections do less harm.
//!
//! A message that is under way is no part of its sender: it arrives though the sender has ended meanwhile.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use cluster_raft::Timing;
use cluster_raft::machine::FileSnapshot;
use cluster_raft::machine::snapshot::SnapshotFile;
use cluster_raft::types::{SnapshotMeta, Types, Vote};
use futures::future::{Either, select};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2, Snapshot};
use tokio::sync::mpsc;

use crate::fault::Class;
use crate::manager::{Process, Raft};
use crate::platform::{Sim, sleep, spawn, within};
use crate::world::World;

/// How long a snapshot may take. The product waits for 30 s and more; but there a connection sends again what was lost on the way, and here
/// a message that is lost stays lost.
const SNAPSHOT: Duration = Duration::from_secs(4);

type CallError = RPCError<Types<Sim>>;

/// One manager's way to the others.
pub(crate) struct Network {
    pub(crate) world: Arc<World>,
    pub(crate) process: Process,
}

impl RaftNetworkFactory<Types<Sim>> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Client {
        Client { world: self.world.clone(), process: self.process.clone(), target, append_deadline: Timing::default().append_deadline() }
    }
}

/// The sending end to one peer.
pub(crate) struct Client {
    world: Arc<World>,
    process: Process,
    target: u64,
    append_deadline: Duration,
}

impl Client {
    async fn call<Q, A, F, Fut>(&self, action: RPCTypes, deadline: Duration, request: Q, handle: F) -> Result<A, CallError>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
        F: Fn(Arc<World>, Raft, Process, Q) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Option<A>> + Send,
    {
        if !self.process.is_alive() {
            return Err(Unreachable::from_string("the process has ended").into());
        }
        let (sender, mut answers) = mpsc::unbounded_channel();
        for delay in self.world.send(self.process.id, self.target, &action) {
            let journey = Journey { world: self.world.clone(), from: self.process.clone(), to: self.target };
            let (request, handle, sender) = (request.clone(), handle.clone(), sender.clone());
            spawn(async move {
                if let Some(answer) = journey.travel(delay, request, handle).await {
                    // An error means that nobody waits any longer.
                    let _ = sender.send(answer);
                }
            });
        }
        let (id, target) = (self.process.id, self.target);
        let late = Timeout { action, id, target, timeout: deadline };
        // The sender that is kept here makes a lost message silent.
        let answer = within(deadline, answers.recv()).await.flatten();
        drop(sender);
        match answer {
            Some(Some(answer)) if self.process.is_alive() => Ok(answer),
            Some(_) => Err(Unreachable::from_string("it is down").into()),
            None => Err(late.into()),
        }
    }
}

/// A message and its answer under way.
struct Journey {
    world: Arc<World>,
    from: Process,
    to: u64,
}

impl Journey {
    /// The answer; none inside when the other end is known to be down, none at all when nothing is heard.
    async fn travel<Q, A, F, Fut>(self, delay: Duration, request: Q, handle: F) -> Option<Option<A>>
    where
        F: FnOnce(Arc<World>, Raft, Process, Q) -> Fut,
        Fut: Future<Output = Option<A>>,
    {
        sleep(delay).await;
        if self.world.is_cut(self.from.id, self.to) {
            return None;
        }
        let Some((raft, process)) = self.world.running(self.to) else { return Some(None) };
        self.world.delivered(self.from.id, self.to);
        let answer = handle(self.world.clone(), raft, process.clone(), request).await?;
        if !process.is_alive() {
            return None;
        }
        let back = self.world.answer(self.to, self.from.id)?;
        sleep(back).await;
        (!self.world.is_cut(self.to, self.from.id) && self.from.is_alive()).then_some(Some(answer))
    }
}

impl RaftNetworkV2<Types<Sim>> for Client {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types<Sim>>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<Sim>>, CallError> {
        let deadline = option.hard_ttl().max(self.append_deadline);
        self.call(RPCTypes::AppendEntries, deadline, request, |_, raft, _, request| async move { raft.append_entries(request).await.ok() })
            .await
    }

    async fn vote(&mut self, request: VoteRequest<Types<Sim>>, option: RPCOption) -> Result<VoteResponse<Types<Sim>>, CallError> {
        self.call(RPCTypes::Vote, option.soft_ttl(), request, |_, raft, _, request| async move { raft.vote(request).await.ok() }).await
    }

    async fn pre_vote(&mut self, request: VoteRequest<Types<Sim>>, option: RPCOption) -> Result<VoteResponse<Types<Sim>>, CallError> {
        self.call(RPCTypes::Vote, option.soft_ttl(), request, |_, raft, _, request| async move { raft.pre_vote(request).await.ok() }).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: FileSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<Sim>>, StreamingError<Types<Sim>>> {
        let bytes = snapshot.snapshot.bytes().map_err(|error| Unreachable::new(&error))?;
        let request = (vote, snapshot.meta, bytes);
        let sent = Box::pin(self.call(RPCTypes::InstallSnapshot, SNAPSHOT, request, install));
        match select(sent, Box::pin(cancel)).await {
            Either::Left((sent, _)) => Ok(sent?),
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types<Sim>>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<Sim>>, CallError> {
        let deadline = option.soft_ttl();
        self.call(RPCTypes::TransferLeader, deadline, request, |_, raft, _, request| async move {
            raft.handle_transfer_leader(request).await.ok()
        })
        .await
    }
}

async fn install(
    world: Arc<World>,
    raft: Raft,
    process: Process,
    (vote, meta, bytes): (Vote, SnapshotMeta, Vec<u8>),
) -> Option<SnapshotResponse<Types<Sim>>> {
    let snapshot = keep(&process, &bytes).ok()?;
    world.fired(Class::Snapshot);
    world.say(&format!("manager {} received a snapshot up to {:?}", process.id, meta.last_log_id.map(|id| id.index)));
    raft.install_full_snapshot(vote, Snapshot { meta, snapshot }).await.ok()
}

/// Writes what was received, as the product's service does.
fn keep(process: &Process, bytes: &[u8]) -> io::Result<SnapshotFile> {
    let (file, temporary) = process.snapshots.temporary()?;
    file.write_at(0, bytes)?;
    file.sync()?;
    let file = SnapshotFile::new(file, Some(temporary))?;
    file.meta().map(|_| file)
}
