//! From segment files to contents, at start.
//!
//! A torn tail (the last write was cut off) is dropped and wiped; anything else that does not fit stops this manager, because what it
//! acknowledged may be gone. Crashing in the middle of a recovery and recovering again gives the same.

use cluster_types::bug;

use super::LogError;
use super::contents::Contents;
use super::frame;
use super::record::Record;
use super::segment;
use crate::disk::{Disk, DiskFile};

/// One segment after recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its file.
    pub name: String,
    /// Largest index of an entry in it; none without entries.
    pub last_index: Option<u64>,
}

/// What recovery found.
pub struct Recovered {
    /// What the log says.
    pub contents: Contents,
    /// All segments but the last, oldest first.
    pub closed: Vec<Segment>,
    /// The last segment, which is written on; none when there is no log yet.
    pub active: Option<Active>,
    /// Number of the next frame.
    pub next_frame: u64,
    /// Bytes of a torn write that were dropped.
    pub torn_bytes: u64,
}

/// The segment that is written on.
pub struct Active {
    /// Its name and what is in it.
    pub segment: Segment,
    /// The open file.
    pub file: Box<dyn DiskFile>,
    /// Where the next frame goes, in bytes.
    pub offset: u64,
    /// Size of the file, in bytes.
    pub size: u64,
}

/// Reads the log from `disk`.
///
/// # Errors
/// When it cannot be read, is damaged, has a hole or is of another version.
pub fn recover(disk: &dyn Disk) -> Result<Recovered, LogError> {
    let names = disk.names().map_err(LogError::io("listing the segments"))?;
    let names: Vec<String> = names.into_iter().filter(|name| segment::first_frame(name).is_some()).collect();
    let mut log = Recovered { contents: Contents::default(), closed: Vec::new(), active: None, next_frame: 1, torn_bytes: 0 };
    for (place, name) in names.iter().enumerate() {
        log.read_segment(disk, name, place == 0, place + 1 == names.len())?;
    }
    Ok(log)
}

/// How far the valid frames of a segment go.
struct Valid {
    /// Where they end, in bytes.
    end: usize,
    last_index: Option<u64>,
}

impl Recovered {
    fn read_segment(&mut self, disk: &dyn Disk, name: &str, first: bool, last: bool) -> Result<(), LogError> {
        self.check_order(name, first)?;
        let file = disk.open(name).map_err(LogError::io("opening a segment"))?;
        let bytes = file.read_all().map_err(LogError::io("reading a segment"))?;
        let valid = self.read_frames(&bytes)?;
        let rest = &bytes[valid.end..];
        // A segment is begun when all before it is durable: what does not fit before the last one is damage.
        let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |place| place + 1);
        if torn > 0 && (!last || frame::any_after(rest, self.next_frame)) {
            return Err(LogError::Damaged { file: name.to_owned(), offset: valid.end as u64, sequence: self.next_frame });
        }
        let segment = Segment { name: name.to_owned(), last_index: valid.last_index };
        if last {
            self.torn_bytes = torn as u64;
            self.active = Some(reopen(file, segment, &bytes, valid.end, torn)?);
        } else {
            self.closed.push(segment);
        }
        Ok(())
    }

    /// The first segment says where the log begins; each later one continues the one before.
    fn check_order(&mut self, name: &str, first: bool) -> Result<(), LogError> {
        let starts = segment::first_frame(name).unwrap_or(self.next_frame);
        if first {
            self.next_frame = starts;
        } else if starts != self.next_frame {
            return Err(LogError::Hole { before: self.next_frame - 1, file: name.to_owned() });
        }
        Ok(())
    }

    fn read_frames(&mut self, bytes: &[u8]) -> Result<Valid, LogError> {
        let mut valid = Valid { end: 0, last_index: None };
        while let Some(frame) = frame::read(&bytes[valid.end..]).filter(|frame| frame.sequence == self.next_frame) {
            let mut body = frame.body;
            while !body.is_empty() {
                let record = Record::decode(&mut body)?;
                if let Record::Entry(entry) = &record {
                    valid.last_index = valid.last_index.max(Some(entry.log_id.index));
                }
                if !(bug!(VoteForgotten) && matches!(record, Record::Vote(_))) {
                    self.contents.take(record);
                }
            }
            valid.end += frame::HEAD + frame.body.len();
            self.next_frame += 1;
        }
        Ok(valid)
    }
}

/// Wipes the torn part, in place: that needs no space. And makes durable what was read: a process that was killed may have written it
/// without a sync, and from now on it is acknowledged as part of the log.
fn reopen(file: Box<dyn DiskFile>, segment: Segment, bytes: &[u8], end: usize, torn: usize) -> Result<Active, LogError> {
    if torn > 0 && !bug!(TornEndStays) {
        file.write_at(end as u64, &vec![0; torn]).map_err(LogError::io("wiping a torn write"))?;
    }
    if !bug!(ReadNotSynced) {
        file.sync().map_err(LogError::io("syncing what was read"))?;
    }
    Ok(Active { segment, file, offset: end as u64, size: bytes.len() as u64 })
}
