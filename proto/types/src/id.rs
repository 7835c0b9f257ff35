//! Typed ids: 128 random bits printed as 25 characters of base36, as in the Docker API.
//!
//! A service id cannot be passed where a node id is wanted. Ids made inside decisions come from an [`IdStream`], so that the same view and
//! seed give the same ids on every manager.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Length of a printed id, in characters.
pub const ID_LENGTH: usize = 25;

/// An id of the kind `K`. Small, `Copy`, ordered as its printed form is.
pub struct Id<K> {
    bits: u128,
    kind: PhantomData<fn() -> K>,
}

/// Marks ids of clusters.
pub enum ClusterKind {}
/// Marks ids of nodes.
pub enum NodeKind {}
/// Marks ids of services.
pub enum ServiceKind {}
/// Marks ids of networks.
pub enum NetworkKind {}
/// Marks ids of tasks.
pub enum TaskKind {}
/// Marks the idempotency keys of proposals.
pub enum RequestKind {}

/// Id of a cluster.
pub type ClusterId = Id<ClusterKind>;
/// Id of a node: the common name of its certificate.
pub type NodeId = Id<NodeKind>;
/// Id of a service.
pub type ServiceId = Id<ServiceKind>;
/// Id of a network.
pub type NetworkId = Id<NetworkKind>;
/// Id of a task, and so of its container.
pub type TaskId = Id<TaskKind>;
/// Idempotency key of a proposal: a retried entry with the same key is applied once.
pub type RequestId = Id<RequestKind>;

impl<K> Id<K> {
    /// An id from 128 bits, usually random ones.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self { bits, kind: PhantomData }
    }

    /// The 128 bits of the id.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// The ids whose printed form starts with `prefix`: 1 to 25 characters of base36. None when no id can.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Option<std::ops::RangeInclusive<Self>> {
        let plain = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
        if prefix.is_empty() || prefix.len() > ID_LENGTH || !prefix.chars().all(plain) {
            return None;
        }
        // `z` in the last places can be more than 128 bits hold: then the largest id ends the range.
        let digit = |bits: u128, value: u32| bits.checked_mul(36)?.checked_add(u128::from(value));
        let digits = || prefix.chars().filter_map(|c| c.to_digit(36));
        let missing = ID_LENGTH - prefix.len();
        let first = digits().chain(std::iter::repeat_n(0, missing)).try_fold(0, digit)?;
        let last = digits().chain(std::iter::repeat_n(35, missing)).try_fold(0, digit).unwrap_or(u128::MAX);
        Some(Self::from_bits(first)..=Self::from_bits(last))
    }

    /// The first 12 characters: what tables show.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [b'0'; ID_LENGTH];
        let mut rest = self.bits;
        for digit in digits.iter_mut().rev() {
            // The remainder is below 36, so it always has a digit.
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
        }
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: 25 characters of 0-9 and a-z are expected")]
pub struct InvalidId(pub String);

impl<K> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId(text.chars().take(64).collect());
        if text.len() != ID_LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid());
        }
        text.chars()
            .try_fold(0_u128, |bits, c| bits.checked_mul(36)?.checked_add(u128::from(c.to_digit(36)?)))
            .map(Self::from_bits)
            .ok_or_else(invalid)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits.cmp(&other.bits)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { words(self.bits).serialize(serializer) }
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            let (high, low) = <(u64, u64)>::deserialize(deserializer)?;
            Ok(Self::from_bits((u128::from(high) << 64) | u128::from(low)))
        }
    }
}

/// The two halves of 128 bits.
#[expect(clippy::cast_possible_truncation, reason = "the cut is what is wanted")]
const fn words(bits: u128) -> (u64, u64) {
    ((bits >> 64) as u64, bits as u64)
}

/// A deterministic stream of ids (`SplitMix64`): the same seed gives the same ids. Decisions take one for each (log index, service), so that
/// one service more does not renumber the tasks of another.
#[derive(Debug, Clone)]
pub struct IdStream {
    state: u64,
}

impl IdStream {
    /// A stream for a log index and a salt such as a service id.
    #[must_use]
    pub fn new(seed: u64, salt: u128) -> Self {
        let mut stream = Self { state: seed };
        let (high, low) = words(salt);
        stream.state = stream.word() ^ high;
        stream.state = stream.word() ^ low;
        stream
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next id.
    pub fn next_id<K>(&mut self) -> Id<K> {
        Id::from_bits((u128::from(self.word()) << 64) | u128::from(self.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(bits: u128) {
            let id = NodeId::from_bits(bits);
            prop_assert_eq!(id.to_string().parse::<NodeId>(), Ok(id));
            prop_assert_eq!(id.to_string().len(), ID_LENGTH);
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = text.parse::<NodeId>();
            let _ = NodeId::with_prefix(&text);
        }

        #[test]
        fn a_prefix_names_the_ids_that_start_with_it(bits: u128, other: u128, length in 1..=ID_LENGTH) {
            let (id, other) = (TaskId::from_bits(bits), TaskId::from_bits(other));
            let prefix = &id.to_string()[..length];
            let ids = TaskId::with_prefix(prefix).unwrap();
            prop_assert!(ids.contains(&id));
            prop_assert_eq!(ids.contains(&other), other.to_string().starts_with(prefix));
        }
    }

    #[test]
    fn order_is_that_of_the_printed_form() {
        let (small, large) = (TaskId::from_bits(7), TaskId::from_bits(u128::MAX));
        assert!(small < large && small.to_string() < large.to_string());
    }

    #[test]
    fn streams_of_two_services_differ() {
        let first = IdStream::new(5, 1).next_id::<TaskKind>();
        assert_ne!(first, IdStream::new(5, 2).next_id::<TaskKind>());
        assert_eq!(first, IdStream::new(5, 1).next_id::<TaskKind>());
    }
}
