//! The receiving end of the managers' messages. Who may call is checked before (`cluster_api::guard`); here is checked whom they mean.

use std::io;
use std::sync::Arc;

use cluster_api::pb::raft_server::{Raft as RaftRpc, RaftServer};
use cluster_api::pb::{RaftMessage, SeatRequest, SeatResponse, SnapshotPiece};
use openraft::Snapshot;
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use tonic::{Request, Response, Status, Streaming};

use super::pipeline::{self, Answers};
use super::wire::{Label, MESSAGE_BYTES};
use crate::disk::DiskFile;
use crate::machine::Machine;
use crate::machine::snapshot::{SnapshotFile, Temporary};
use crate::machine::snapshots::Snapshots;
use crate::platform::{Platform, Tokio};
use crate::raft::vigil::Vigil;
use crate::types::{SnapshotMeta, Types, Vote};

/// Largest snapshot that is received, in bytes.
const SNAPSHOT_BYTES: u64 = 1 << 30;

/// Gives new managers their seats; the leader's part of `cluster-manager`.
#[tonic::async_trait]
pub trait Seats: Send + Sync + 'static {
    /// A new manager asks for its seat.
    async fn seat(&self, request: Request<SeatRequest>) -> Result<Response<SeatResponse>, Status>;
}

/// The service.
pub struct Service {
    label: Label,
    raft: openraft::Raft<Types, Machine>,
    snapshots: Arc<Snapshots>,
    vigil: Arc<Vigil>,
    seats: Arc<dyn Seats>,
}

impl Service {
    pub(crate) fn new(
        label: Label,
        raft: openraft::Raft<Types, Machine>,
        snapshots: Arc<Snapshots>,
        vigil: Arc<Vigil>,
        seats: Arc<dyn Seats>,
    ) -> RaftServer<Self> {
        let service = Self { label, raft, snapshots, vigil, seats };
        RaftServer::new(service).max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
    }

    fn answer<T: serde::Serialize>(&self, content: &T) -> Result<Response<RaftMessage>, Status> {
        self.label.message(content).map(Response::new)
    }

    /// Writes the pieces into a file; gives what the first one says, too.
    async fn receive(&self, pieces: &mut Streaming<SnapshotPiece>) -> Result<(Vote, SnapshotMeta, SnapshotFile), Status> {
        let first = pieces.message().await?.ok_or_else(|| Status::invalid_argument("a snapshot without a piece"))?;
        let head = first.head.as_ref().ok_or_else(|| Status::invalid_argument("a snapshot without a head"))?;
        let (vote, meta) = self.label.open(head)?;
        let snapshots = self.snapshots.clone();
        let (mut file, temporary) = beside(move || snapshots.temporary()).await?;
        let mut length = 0;
        let mut piece = Some(first);
        while let Some(SnapshotPiece { head: _, data }) = piece {
            let offset = length;
            length += data.len() as u64;
            if length > SNAPSHOT_BYTES {
                return Err(Status::resource_exhausted("the snapshot is over 1 GiB"));
            }
            file = write_piece(file, offset, data).await?;
            piece = pieces.message().await?;
        }
        Ok((vote, meta, finish(file, temporary).await?))
    }
}

async fn write_piece(file: Box<dyn DiskFile>, offset: u64, data: Vec<u8>) -> Result<Box<dyn DiskFile>, Status> {
    beside(move || file.write_at(offset, &data).map(|()| file)).await
}

/// Makes the file durable before it may count.
async fn finish(file: Box<dyn DiskFile>, temporary: Temporary) -> Result<SnapshotFile, Status> {
    beside(move || {
        file.sync()?;
        let file = SnapshotFile::new(file, Some(temporary))?;
        // Damage is found here, where the sender can try again, and not when it is installed.
        file.meta().map(|_| file)
    })
    .await
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Status> {
    Tokio::beside(work).await.map_err(unwritten)
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function for map_err")]
fn unwritten(error: io::Error) -> Status {
    Status::unavailable(format!("the snapshot cannot be kept: {error}"))
}

pub(super) fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("this manager's raft has stopped: {error}"))
}

#[tonic::async_trait]
impl RaftRpc for Service {
    async fn append(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let message: AppendEntriesRequest<Types> = self.label.open(request.get_ref())?;
        self.answer(&self.raft.append_entries(message).await.map_err(stopped)?)
    }

    type AppendStreamStream = Answers;

    async fn append_stream(&self, request: Request<Streaming<RaftMessage>>) -> Result<Response<Answers>, Status> {
        Ok(Response::new(pipeline::answer(self.label, &self.raft, request.into_inner())))
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let (mut message, gone): (VoteRequest<Types>, Option<u64>) = self.label.open(request.get_ref())?;
        // Both lost the same leader: its lease is no reason to wait.
        message.leadership_transfer |= gone.is_some() && gone == self.vigil.gone();
        self.answer(&self.raft.vote(message).await.map_err(stopped)?)
    }

    async fn pre_vote(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let message: VoteRequest<Types> = self.label.open(request.get_ref())?;
        self.answer(&self.raft.pre_vote(message).await.map_err(stopped)?)
    }

    async fn snapshot(&self, request: Request<Streaming<SnapshotPiece>>) -> Result<Response<RaftMessage>, Status> {
        let (vote, meta, snapshot) = self.receive(&mut request.into_inner()).await?;
        let installed = self.raft.install_full_snapshot(vote, Snapshot { meta, snapshot }).await;
        self.answer(&installed.map_err(stopped)?)
    }

    async fn transfer_leader(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let message: TransferLeaderRequest<Types> = self.label.open(request.get_ref())?;
        self.answer(&self.raft.handle_transfer_leader(message).await.map_err(stopped)?)
    }

    type FollowStream = Answers;

    async fn follow(&self, request: Request<RaftMessage>) -> Result<Response<Answers>, Status> {
        self.label.open::<()>(request.get_ref())?;
        let mut metrics = self.raft.server_metrics();
        if self.raft.metrics().borrow_watched().running_state.is_err() {
            return Err(stopped("it was shut down"));
        }
        let end = async move {
            while metrics.changed().await.is_ok() {}
            Err(stopped("it was shut down"))
        };
        Ok(Response::new(Box::pin(futures::stream::once(end))))
    }

    async fn gone(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let leader: u64 = self.label.open(request.get_ref())?;
        self.answer(&self.vigil.agrees(leader).await)
    }

    async fn seat(&self, request: Request<SeatRequest>) -> Result<Response<SeatResponse>, Status> {
        self.seats.seat(request).await
    }
}
