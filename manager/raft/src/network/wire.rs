//! From openraft's messages to ours and back: MessagePack inside, the address label outside.

use cluster_api::pb::RaftMessage;
use cluster_types::ClusterId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;

/// Bytes of snapshot in one piece.
pub const PIECE_BYTES: usize = 512 << 10;

/// Largest message that either end takes, in bytes: the design's limit and the envelope.
pub const MESSAGE_BYTES: usize = cluster_types::limits::MESSAGE_BYTES + (64 << 10);

/// Who a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The cluster.
    pub cluster: ClusterId,
    /// The receiver's Raft id.
    pub target: u64,
}

impl Label {
    /// A message for this receiver.
    ///
    /// # Errors
    /// `Internal` when it cannot be encoded, which openraft's can.
    pub fn message<T: Serialize>(self, content: &T) -> Result<RaftMessage, Status> {
        let payload = rmp_serde::to_vec(content).map_err(|error| Status::internal(error.to_string()))?;
        Ok(RaftMessage { cluster_id: self.cluster.to_string(), target: self.target, payload })
    }

    /// The content of a message, when it is for this receiver.
    ///
    /// # Errors
    /// `FailedPrecondition` when it is for somebody else, `InvalidArgument` when it cannot be read.
    pub fn open<T: DeserializeOwned>(self, message: &RaftMessage) -> Result<T, Status> {
        if message.cluster_id != self.cluster.to_string() {
            return Err(Status::failed_precondition(format!("this manager belongs to the cluster {}", self.cluster)));
        }
        if message.target != self.target {
            let (meant, is) = (message.target, self.target);
            return Err(Status::failed_precondition(format!("this manager has the raft id {is}, not {meant}")));
        }
        read(message)
    }
}

/// The content of an answer.
///
/// # Errors
/// `InvalidArgument` when it cannot be read.
pub fn read<T: DeserializeOwned>(message: &RaftMessage) -> Result<T, Status> {
    rmp_serde::from_slice(&message.payload).map_err(|error| Status::invalid_argument(format!("a raft message cannot be read: {error}")))
}
