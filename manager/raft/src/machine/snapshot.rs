//! One snapshot file: what it covers, the state, and a checksum over both.
//!
//! Layout, little endian: magic `CLSNAP01`, length of the meta (4 bytes), meta in MessagePack, encoded state, CRC-32C of all before it.

use std::io;
use std::sync::Arc;

use cluster_state::State;

use crate::disk::{Disk, DiskFile};
use crate::types::SnapshotMeta;

const MAGIC: &[u8; 8] = b"CLSNAP01";
const SUM: usize = 4;

/// An open snapshot file. It stays readable when a newer one takes its name.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    file: Arc<dyn DiskFile>,
    length: u64,
    /// Set while it is not under the name of the current one; removed with the last handle then.
    pub(crate) temporary: Option<Arc<Temporary>>,
}

/// A file that is removed unless it gets another name.
#[derive(Debug)]
pub struct Temporary {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) name: String,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is gone already when it has become the current snapshot.
        let _ = self.disk.remove(&self.name);
    }
}

impl SnapshotFile {
    /// A handle on an open file.
    ///
    /// # Errors
    /// When its size cannot be read.
    pub fn new(file: Box<dyn DiskFile>, temporary: Option<Temporary>) -> io::Result<Self> {
        let length = file.length()?;
        Ok(Self { file: file.into(), length, temporary: temporary.map(Arc::new) })
    }

    /// The same file, now that it has a lasting name.
    pub(crate) fn kept(&self) -> Self {
        Self { file: self.file.clone(), length: self.length, temporary: None }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// At most `size` bytes from `offset`; fewer at the end.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn piece(&self, offset: u64, size: usize) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(size).min(size);
        let mut piece = vec![0; size];
        self.file.read_at(offset, &mut piece)?;
        Ok(piece)
    }

    /// All bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        self.piece(0, usize::try_from(self.length).map_err(|_| io::ErrorKind::FileTooLarge)?)
    }

    /// What it covers.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn meta(&self) -> io::Result<SnapshotMeta> {
        parse(&self.bytes()?).map(|(meta, _)| meta)
    }

    /// The state in it.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn state(&self) -> io::Result<State> {
        let bytes = self.bytes()?;
        let (_, state) = parse(&bytes)?;
        State::decode(state).map_err(|error| damaged(&error.to_string()))
    }
}

/// The bytes of a snapshot file.
///
/// # Errors
/// When the meta cannot be encoded, which ours can.
pub fn compose(meta: &SnapshotMeta, state: &State) -> io::Result<Vec<u8>> {
    let meta = rmp_serde::to_vec(meta).map_err(io::Error::other)?;
    let length = u32::try_from(meta.len()).map_err(io::Error::other)?;
    let mut bytes = [MAGIC.as_slice(), &length.to_le_bytes(), &meta, &state.encode()].concat();
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// The meta and the encoded state of a snapshot file's bytes.
fn parse(bytes: &[u8]) -> io::Result<(SnapshotMeta, &[u8])> {
    let (content, sum) = bytes.split_last_chunk::<SUM>().ok_or_else(|| damaged("it is cut off"))?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return Err(damaged("its checksum is wrong"));
    }
    let rest = content.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no snapshot of this version"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut off"))?;
    let (meta, state) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| damaged("it is cut off"))?;
    let meta = rmp_serde::from_slice(meta).map_err(|error| damaged(&error.to_string()))?;
    Ok((meta, state))
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the snapshot is damaged: {why}. Remove this manager from the cluster, empty its state directory and let it join anew"),
    )
}
