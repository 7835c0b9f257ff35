//! The ledger's file: records with length and checksum behind a magic number.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{LedgerError, Record};

/// First bytes of the file; the last one is the format's version.
const MAGIC: &[u8; 8] = b"CLEDGER\x01";
/// Length and checksum in front of each record.
const HEADER: usize = 8;
/// No record is larger, in bytes: a larger length is damage.
const LARGEST: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct LogFile {
    folder: PathBuf,
    pub(super) file: File,
    /// Bytes of intact records. What lies behind, left by a failed write, is overwritten by the next.
    size: u64,
}

/// What a file held.
pub(super) enum Found {
    Records(Vec<Record>),
    /// Not to be trusted; where it was put.
    Damaged(PathBuf),
}

impl LogFile {
    pub(super) fn open(folder: &Path) -> Result<(Self, Found), LedgerError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder, "made"))?;
        let path = folder.join("ledger");
        let file = create(&path, false)?;
        let mut bytes = Vec::new();
        (&file).read_to_end(&mut bytes).map_err(failed(&path, "read"))?;
        let mut log = Self { folder: folder.to_owned(), file, size: 0 };
        if let Some((records, intact)) = parse(&bytes) {
            log.size = intact as u64;
            return Ok((log, Found::Records(records)));
        }
        let aside = folder.join("ledger.damaged");
        fs::rename(&path, &aside).map_err(failed(&path, "put aside"))?;
        let file = create(&path, true)?;
        Ok((Self { file, ..log }, Found::Damaged(aside)))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes records behind the last intact one, and waits for the disk when `durable`. They do not count when it fails.
    pub(super) fn append(&mut self, records: &[Record], durable: bool) -> Result<(), LedgerError> {
        let bytes = encode(records)?;
        self.file.write_all_at(&bytes, self.size).map_err(failed(&self.folder, "written"))?;
        if durable {
            self.file.sync_data().map_err(failed(&self.folder, "synced"))?;
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Puts a new file with these records in place of the old, at once or not at all.
    pub(super) fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let (path, next) = (self.folder.join("ledger"), self.folder.join("ledger.next"));
        let file = create(&next, true)?;
        let bytes = [MAGIC.as_slice(), &encode(records)?].concat();
        file.write_all_at(&bytes, 0).and_then(|()| file.sync_all()).map_err(failed(&next, "written"))?;
        fs::rename(&next, &path).map_err(failed(&path, "replaced"))?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed(&self.folder, "synced"))?;
        (self.file, self.size) = (file, bytes.len() as u64);
        Ok(())
    }
}

fn create(path: &Path, empty: bool) -> Result<File, LedgerError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(empty).mode(0o600).open(path).map_err(failed(path, "opened"))
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { path, what, source }
}

fn encode(records: &[Record]) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::new();
    for record in records {
        // By name, so that a later version may add fields.
        let body = rmp_serde::to_vec_named(record)?;
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
    }
    Ok(bytes)
}

/// The records of a file without its torn tail, and how many bytes they are. None when the file cannot be trusted: intact records follow a
/// broken one, or the beginning is not ours.
pub(super) fn parse(bytes: &[u8]) -> Option<(Vec<Record>, usize)> {
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Some((Vec::new(), 0));
    }
    let mut rest = bytes.strip_prefix(MAGIC.as_slice())?;
    let mut records = Vec::new();
    while let Some((body, after)) = frame(rest) {
        records.push(rmp_serde::from_slice(body).ok()?);
        rest = after;
    }
    let intact_later = (1..rest.len()).any(|offset| frame(&rest[offset..]).is_some());
    (!intact_later).then_some((records, bytes.len() - rest.len()))
}

/// The first record of some bytes, when it is whole and intact, and what follows it.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let length = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(header[4..].try_into().ok()?);
    if length == 0 || length > LARGEST {
        return None;
    }
    let (body, after) = rest.split_at_checked(length)?;
    (crc32c::crc32c(body) == checksum).then_some((body, after))
}
