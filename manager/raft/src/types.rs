//! The types that openraft is instantiated with: what an entry carries, what an apply answers, who a member is.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use cluster_types::Entry;
use openraft::impls::{BoxedErrorSource, InlineBatch, ProgressResponder, leader_id_adv};
use openraft::vote::RaftLeaderId;
use openraft::{BasicNode, EntryPayload, OptionalSend, RaftTypeConfig};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::platform::{Platform, Tokio};
use crate::raft::propose::Committed;

/// The group's types: an entry is an encoded [`Command`], an answer is what the state made of it. Only the runtime differs between
/// platforms: entries, votes and snapshots are of the same types on all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Types<P = Tokio>(PhantomData<P>);

impl<P: Platform> RaftTypeConfig for Types<P> {
    type D = Command;
    type R = Reply;
    type NodeId = u64;
    type Node = BasicNode;
    type Term = u64;
    type LeaderId = leader_id_adv::LeaderId<u64, u64>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Command, u64, BasicNode>;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = P::Runtime;
    type Responder<T>
        = ProgressResponder<Self, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

/// Names one entry of the log: who led when it was written, and its index.
pub type LogId = openraft::type_config::alias::LogIdOf<Types>;
/// One entry of the log.
pub type LogEntry = openraft::type_config::alias::EntryOf<Types>;
/// A vote, or a leader's confirmed one.
pub type Vote = openraft::type_config::alias::VoteOf<Types>;
/// The members that a log index stands for.
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;

/// An [`Entry`] in MessagePack. It is encoded once, when it is proposed, and goes through log and network as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Bytes);

impl Command {
    /// Encodes an entry.
    ///
    /// # Errors
    /// When the entry cannot be encoded, which no entry of our types does.
    pub fn encode(entry: &Entry) -> Result<Self, rmp_serde::encode::Error> {
        Ok(Self(rmp_serde::to_vec(entry)?.into()))
    }

    /// The entry again.
    ///
    /// # Errors
    /// When another version wrote something that this one does not know.
    pub fn decode(&self) -> Result<Entry, rmp_serde::decode::Error> {
        rmp_serde::from_slice(&self.0)
    }

    /// Encoded size, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Command {
    // Entries hold secrets: only the size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsBytes;
        impl Visitor<'_> for AsBytes {
            type Value = Command;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Command, E> {
                Ok(Command(Bytes::copy_from_slice(bytes)))
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Command, E> {
                Ok(Command(bytes.into()))
            }
        }
        deserializer.deserialize_byte_buf(AsBytes)
    }
}

/// What the state made of an entry; none for entries that only Raft reads. It never leaves its manager.
#[derive(Debug, Clone, Default)]
pub struct Reply(pub Option<Committed>);

// openraft asks for serde of answers, for applications that send them on. Ours do not.
impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self(None))
    }
}

/// About how many bytes an entry takes in a message or in the log.
pub(crate) fn entry_size(entry: &LogEntry) -> usize {
    const FRAME: usize = 64;
    FRAME
        + match &entry.payload {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(command) => command.size(),
            EntryPayload::Membership(membership) => FRAME * (1 + membership.nodes().count()),
        }
}
