//! The sending end: one channel for each peer, a deadline on every call.
//!
//! A peer that refuses or is gone is *unreachable* (openraft waits before it tries again); a call that takes too long *timed out*.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_api::pb::raft_client::RaftClient;
use cluster_api::pb::{RaftMessage, SnapshotPiece};
use cluster_types::ClusterId;
use futures::{Stream, StreamExt};
use openraft::base::BoxFuture;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::dial::Dial;
use super::matched::Matched;
use super::pipeline::{self, Appended};
use super::wire::{Label, MESSAGE_BYTES, PIECE_BYTES, read};
use crate::machine::FileSnapshot;
use crate::machine::snapshot::SnapshotFile;
use crate::raft::config::RaftConfig;
use crate::raft::vigil::Vigil;
use crate::types::{Types, Vote};

/// Slowest transfer of a snapshot that is waited for, in bytes a second, after [`SNAPSHOT_START`].
const SNAPSHOT_RATE: u64 = 1 << 20;
/// Time for a snapshot of no size.
const SNAPSHOT_START: Duration = Duration::from_secs(30);

/// Makes clients. All clients of one peer share a channel, but a snapshot has its own, so that it does not hold up heartbeats.
pub struct Network {
    peers: Peers,
    vigil: Arc<Vigil>,
    matched: Matched,
    append_deadline: Duration,
}

/// The channels to the other managers. A clone shares them.
#[derive(Clone)]
pub struct Peers {
    pub(crate) id: u64,
    cluster: ClusterId,
    dial: Arc<dyn Dial>,
    channels: Arc<Mutex<HashMap<SocketAddr, Channel>>>,
}

impl Peers {
    /// The shared channel to an address.
    fn channel(&self, address: SocketAddr) -> Channel {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(address).or_insert_with(|| self.dial.dial(address)).clone()
    }

    /// A stub for calls to an address, and the label for `target`.
    pub(crate) fn stub(&self, target: u64, address: SocketAddr) -> (RaftClient<Channel>, Label) {
        (stub(self.channel(address)), Label { cluster: self.cluster, target })
    }
}

fn stub(channel: Channel) -> RaftClient<Channel> {
    RaftClient::new(channel).max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
}

impl Network {
    /// A network for the manager of `config`, whose votes say what `vigil` knows.
    pub fn new(config: &RaftConfig, vigil: Arc<Vigil>) -> Self {
        let (id, cluster, dial) = (config.raft_id, config.cluster_id, config.dial.clone());
        let peers = Peers { id, cluster, dial, channels: Arc::default() };
        Self { peers, vigil, matched: Matched::default(), append_deadline: config.timing.append_deadline() }
    }

    /// The channels, for other calls than openraft's.
    pub(crate) fn peers(&self) -> Peers {
        self.peers.clone()
    }

    fn client(&self, target: u64, node: &BasicNode, channel: Option<Channel>) -> Client {
        Client {
            id: self.peers.id,
            label: Label { cluster: self.peers.cluster, target },
            address: node.addr.clone(),
            client: channel.map(stub),
            vigil: self.vigil.clone(),
            matched: self.matched.clone(),
            append_deadline: self.append_deadline,
        }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Client {
        let channel = node.addr.parse().ok().map(|address| self.peers.channel(address));
        self.client(target, node, channel)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &BasicNode) -> Client {
        let channel = node.addr.parse().ok().map(|address| self.peers.dial.dial(address));
        self.client(target, node, channel)
    }
}

/// The sending end to one peer.
pub struct Client {
    id: u64,
    label: Label,
    address: String,
    /// None when the address cannot be read.
    client: Option<RaftClient<Channel>>,
    vigil: Arc<Vigil>,
    matched: Matched,
    append_deadline: Duration,
}

/// An openraft error without a remote part.
type CallError = RPCError<Types>;

impl Client {
    /// Sends one message and reads the answer, within `deadline`.
    async fn call<Q, A, F, Fut>(&self, action: RPCTypes, deadline: Duration, content: &Q, send: F) -> Result<A, CallError>
    where
        Q: Serialize,
        A: DeserializeOwned,
        F: FnOnce(RaftClient<Channel>, RaftMessage) -> Fut,
        Fut: Future<Output = Result<Response<RaftMessage>, Status>>,
    {
        let client = self.connected()?;
        let message = self.label.message(content).map_err(|status| self.failed(&status))?;
        match tokio::time::timeout(deadline, send(client, message)).await {
            Ok(Ok(answer)) => read(answer.get_ref()).map_err(|status| self.failed(&status)),
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_) => Err(self.late(action, deadline).into()),
        }
    }

    fn connected(&self) -> Result<RaftClient<Channel>, Unreachable<Types>> {
        self.client.clone().ok_or_else(|| Unreachable::from_string(format!("`{}` is no address", self.address)))
    }

    fn late(&self, action: RPCTypes, timeout: Duration) -> Timeout<Types> {
        Timeout { action, id: self.id, target: self.label.target, timeout }
    }

    fn failed(&self, status: &Status) -> CallError {
        let text = format!("{}: {}", self.address, status.message());
        match status.code() {
            // The peer is there, and overloaded or busy: again at once.
            Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded => NetworkError::from_string(text).into(),
            _ => Unreachable::from_string(text).into(),
        }
    }

    /// An answer that makes sense to openraft.
    fn checked(&self, answer: StreamAppendResult<Types>) -> Result<StreamAppendResult<Types>, CallError> {
        match self.matched.check(self.label.target, &answer) {
            Ok(()) => Ok(answer),
            Err(reverted) => {
                tracing::error!(manager = self.label.target, address = %self.address, error = %reverted, "a manager is left out");
                Err(Unreachable::new(&reverted).into())
            }
        }
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: FileSnapshot) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let mut client = self.connected()?;
        let head = self.label.message(&(vote, &snapshot.meta)).map_err(|status| self.failed(&status))?;
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        let file = snapshot.snapshot;
        let deadline = SNAPSHOT_START + Duration::from_secs(file.length() / SNAPSHOT_RATE);
        let reader = tokio::task::spawn_blocking(move || read_pieces(head, &file, &sender));
        let answer = tokio::time::timeout(deadline, client.snapshot(ReceiverStream::new(receiver))).await;
        match answer {
            Ok(Ok(answer)) => read(answer.get_ref()).map_err(|status| self.failed(&status).into()),
            Ok(Err(status)) => {
                let unread = reader.await.ok().and_then(Result::err);
                unread.map_or_else(|| Err(self.failed(&status).into()), |error| Err(NetworkError::new(&error).into()))
            }
            Err(_) => Err(self.late(RPCTypes::InstallSnapshot, deadline).into()),
        }
    }
}

/// Feeds a snapshot into a stream, piece by piece; stops when the stream is gone.
fn read_pieces(head: RaftMessage, file: &SnapshotFile, sender: &tokio::sync::mpsc::Sender<SnapshotPiece>) -> std::io::Result<()> {
    let mut head = Some(head);
    let mut offset = 0;
    while offset < file.length() {
        let data = file.piece(offset, PIECE_BYTES)?;
        offset += data.len() as u64;
        if sender.blocking_send(SnapshotPiece { head: head.take(), data }).is_err() {
            break;
        }
    }
    Ok(())
}

impl RaftNetworkV2<Types> for Client {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, CallError> {
        // The peer answers when its disk has synced; openraft's limit is one heartbeat, which a busy disk does not keep.
        let deadline = option.hard_ttl().max(self.append_deadline);
        self.call(RPCTypes::AppendEntries, deadline, &request, |mut client, message| async move { client.append(message).await }).await
    }

    fn stream_append<'s, S>(&'s mut self, requests: S, option: RPCOption) -> BoxFuture<'s, Result<Appended<'s>, CallError>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let deadline = option.hard_ttl().max(self.append_deadline);
        Box::pin(async move {
            let late = self.late(RPCTypes::AppendEntries, deadline);
            let (matched, target) = (self.matched.clone(), self.label.target);
            let requests = requests.inspect(move |request| matched.lead(target, request.vote.leader_id.term));
            let opened = pipeline::open(self.label, self.connected()?, requests);
            let answers = tokio::time::timeout(deadline, opened).await.map_err(|_| late.clone())?.map_err(|status| self.failed(&status))?;
            let answers = answers.appended(deadline, late, |status| self.failed(status));
            Ok(answers.map(|answer| answer.and_then(|answer| self.checked(answer))).boxed())
        })
    }

    async fn vote(&mut self, request: VoteRequest<Types>, option: RPCOption) -> Result<VoteResponse<Types>, CallError> {
        let request = (request, self.vigil.gone());
        self.call(RPCTypes::Vote, option.soft_ttl(), &request, |mut client, message| async move { client.vote(message).await }).await
    }

    async fn pre_vote(&mut self, request: VoteRequest<Types>, option: RPCOption) -> Result<VoteResponse<Types>, CallError> {
        self.call(RPCTypes::Vote, option.soft_ttl(), &request, |mut client, message| async move { client.pre_vote(message).await }).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: FileSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            sent = self.send_snapshot(vote, snapshot) => sent,
            closed = cancel => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, CallError> {
        let deadline = option.soft_ttl();
        self.call(RPCTypes::TransferLeader, deadline, &request, |mut client, message| async move { client.transfer_leader(message).await })
            .await
    }
}
