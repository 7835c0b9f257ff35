//! What one record of the log says. Kinds are numbered by hand: a number is never used again for something else.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LogError;
use crate::types::{LogEntry, LogId, Vote};

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An entry, at the index that it names.
    Entry(LogEntry),
    /// The vote; the newest counts.
    Vote(Vote),
    /// Entries after this one are taken back; all of them when none.
    Truncate(Option<LogId>),
    /// Entries up to this one are no longer needed: a snapshot covers them.
    Purge(LogId),
    /// Entries up to this one are known to be committed. A hint: it may lag behind.
    Committed(LogId),
}

const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const TRUNCATE: u8 = 3;
const PURGE: u8 = 4;
const COMMITTED: u8 = 5;

/// Kind (1 byte) and payload length (4 bytes) before each payload.
const HEAD: usize = 5;

impl Record {
    /// Appends the record's bytes to `out`.
    ///
    /// # Errors
    /// When the payload cannot be encoded or is over 4 GiB, which no record of ours is.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), LogError> {
        match self {
            Self::Entry(entry) => put(out, ENTRY, entry),
            Self::Vote(vote) => put(out, VOTE, vote),
            Self::Truncate(after) => put(out, TRUNCATE, after),
            Self::Purge(upto) => put(out, PURGE, upto),
            Self::Committed(upto) => put(out, COMMITTED, upto),
        }
    }

    /// Takes one record from the front of `bytes`, which stands under a valid checksum.
    ///
    /// # Errors
    /// When a kind or payload is unknown: another version wrote it.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, LogError> {
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(|| foreign("a record is cut off"))?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let (payload, rest) = rest.split_at_checked(length as usize).ok_or_else(|| foreign("a record is longer than its frame"))?;
        *bytes = rest;
        match head[0] {
            ENTRY => take(payload).map(Self::Entry),
            VOTE => take(payload).map(Self::Vote),
            TRUNCATE => take(payload).map(Self::Truncate),
            PURGE => take(payload).map(Self::Purge),
            COMMITTED => take(payload).map(Self::Committed),
            kind => Err(LogError::Foreign(format!("a record has the unknown kind {kind}"))),
        }
    }
}

fn put<T: Serialize>(out: &mut Vec<u8>, kind: u8, payload: &T) -> Result<(), LogError> {
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    rmp_serde::encode::write(out, payload).map_err(|error| foreign(&error.to_string()))?;
    let length = u32::try_from(out.len() - start - HEAD).map_err(|_| foreign("a record is over 4 GiB"))?;
    out[start + 1..start + HEAD].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn take<T: DeserializeOwned>(payload: &[u8]) -> Result<T, LogError> {
    rmp_serde::from_slice(payload).map_err(|error| foreign(&error.to_string()))
}

fn foreign(text: &str) -> LogError {
    LogError::Foreign(text.to_owned())
}
