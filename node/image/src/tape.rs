//! A tar stream under watch: hashes what passes, and stops a stream that asks for too much.
//!
//! The tar parser reads headers (long names, extended attributes) into memory, as long as the archive says: an allowance around each
//! step to the next entry keeps that small. Used for layers and for image archives.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::limits::{ENTRY_HEADERS, RATIO, RATIO_FROM};

/// Counts, hashes and limits an uncompressed stream.
pub(crate) struct Tape<R> {
    inner: R,
    hash: Sha256,
    seen: u64,
    limit: u64,
    allowance: Allowance,
}

/// Bytes that may still be read before the next change of the allowance.
#[derive(Clone)]
pub(crate) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    /// While the parser looks for the next entry.
    pub(crate) fn headers(&self) {
        self.0.set(ENTRY_HEADERS);
    }

    /// While an entry's content is read.
    pub(crate) fn content(&self) {
        self.0.set(u64::MAX);
    }
}

impl<R: Read> Tape<R> {
    /// Watches a stream of at most `limit` bytes; `packed` is the size that it was compressed to, where it is known.
    pub(crate) fn new(inner: R, limit: u64, packed: Option<u64>) -> Self {
        let ratio = packed.map_or(u64::MAX, |packed| packed.saturating_mul(RATIO).max(RATIO_FROM));
        Self { inner, hash: Sha256::new(), seen: 0, limit: limit.min(ratio), allowance: Allowance(Rc::new(Cell::new(u64::MAX))) }
    }

    /// The handle that says what is being read.
    pub(crate) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// Reads what follows the archive's end, and gives the digest of everything.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        self.allowance.content();
        io::copy(&mut self, &mut io::sink())?;
        Ok(Digest::from_hash(self.hash))
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        self.seen = self.seen.saturating_add(n as u64);
        if self.seen > self.limit {
            return Err(io::Error::other(format!("it unpacks to more than {} bytes", self.limit)));
        }
        let Some(left) = self.allowance.0.get().checked_sub(n as u64) else {
            return Err(io::Error::other(format!("the headers of one entry are longer than {ENTRY_HEADERS} bytes")));
        };
        self.allowance.0.set(left);
        Ok(n)
    }
}
