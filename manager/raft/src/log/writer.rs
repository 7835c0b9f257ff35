//! What writes the log. It drains its queue, writes one frame, syncs once, and tells everyone who waited.
//!
//! In the product it has a thread of its own ([`Writer::run`]); a simulation calls [`Writer::gather`] and [`Writer::finish`], and lets the
//! time that a disk takes pass between them.
//!
//! The first error of the disk is the last: nobody knows what a failed sync left behind, so nothing is retried, all later writes fail, and
//! the manager restarts and reads what is really there. Only a full disk is waited for, before the sync.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cluster_types::bug;
use openraft::storage::IOFlushed;

use super::contents::Contents;
use super::frame;
use super::record::Record;
use super::recovery::{Active, Recovered, Segment};
use super::reserve::Reserve;
use super::{LogError, segment};
use crate::disk::{Disk, DiskFile};
use crate::platform::{Platform, Tokio};
use crate::types::{LogId, Types, Vote};

/// A segment holds at least this many frames: a frame is written when its records take that part. With one entry more (at most 1 MiB)
/// it still fits.
const FRAMES_PER_SEGMENT: u64 = 4;
/// Most jobs in one batch.
const BATCH: usize = 4096;
/// Time between two tries to write, while the disk is full.
const RETRY: Duration = Duration::from_millis(200);

/// What the writer is asked to do.
pub enum Job<P: Platform = Tokio> {
    /// Write records, then say so.
    Write(Vec<Record>, IOFlushed<Types<P>>),
    /// Write what was asked before, then end.
    Stop,
}

/// What the writer has done so far.
#[derive(Debug, Default)]
pub struct WriterStats {
    /// Syncs, which is also frames.
    pub syncs: AtomicU64,
    /// Bytes of frames.
    pub bytes: AtomicU64,
    /// How long the last write and sync took, in microseconds.
    pub last_sync_micros: AtomicU64,
}

/// The newest commit mark, which the next frame takes along: it costs no sync of its own.
pub type CommitMark = Arc<Mutex<Option<LogId>>>;

/// What every segment repeats at its start, so that older segments can go.
#[derive(Clone)]
struct Marks {
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
}

impl Marks {
    fn note(&mut self, record: &Record) {
        match record {
            Record::Vote(vote) => self.vote = Some(*vote),
            Record::Purge(upto) => self.purged = self.purged.max(Some(*upto)),
            Record::Committed(upto) => self.committed = Some(*upto),
            Record::Entry(_) | Record::Truncate(_) => {}
        }
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let purged = self.purged.map(Record::Purge);
        purged.into_iter().chain(self.vote.map(Record::Vote)).chain(self.committed.map(Record::Committed))
    }
}

/// The writer, between two batches.
pub struct Writer<P: Platform = Tokio> {
    disk: Arc<dyn Disk>,
    reserve: Arc<Reserve>,
    stats: Arc<WriterStats>,
    mark: CommitMark,
    /// The commit mark as it was before the batch.
    batch_mark: Option<LogId>,
    closed: Vec<Segment>,
    active: Option<Active>,
    next_frame: u64,
    /// As of the last durable frame.
    durable: Marks,
    /// With the records of `body`.
    marks: Marks,
    /// Records of the frame that is being made.
    body: Vec<u8>,
    /// Largest entry index in `body`.
    body_last: Option<u64>,
    /// Who is told when the frame is durable.
    waiting: Vec<IOFlushed<Types<P>>>,
    /// Why it no longer writes.
    failure: Option<LogError>,
}

impl<P: Platform> Writer<P> {
    /// The writer where recovery ended, and what the log says.
    pub fn new(disk: Arc<dyn Disk>, reserve: Arc<Reserve>, recovered: Recovered) -> (Self, Contents) {
        let Recovered { contents, closed, active, next_frame, torn_bytes: _ } = recovered;
        let marks = Marks { vote: contents.vote, purged: contents.purged, committed: contents.committed };
        let writer = Self {
            disk,
            reserve,
            stats: Arc::default(),
            mark: CommitMark::default(),
            batch_mark: None,
            closed,
            active,
            next_frame,
            durable: marks.clone(),
            marks,
            body: Vec::new(),
            body_last: None,
            waiting: Vec::new(),
            failure: None,
        };
        (writer, contents)
    }

    /// What it has done, as it goes on.
    #[must_use]
    pub fn stats(&self) -> Arc<WriterStats> {
        self.stats.clone()
    }

    /// The commit mark that it takes along.
    #[must_use]
    pub fn mark(&self) -> CommitMark {
        self.mark.clone()
    }

    /// Writes what comes, until it is told to stop or nobody is left to ask.
    pub fn run(mut self, queue: &Receiver<Job<P>>) {
        while let Ok(first) = queue.recv() {
            let stop = self.gather(std::iter::once(first).chain(queue.try_iter().take(BATCH)));
            self.finish();
            if stop {
                break;
            }
        }
        self.reserve.stop();
    }

    /// Takes a batch of jobs: their records go into the next frame. Gives whether the batch is the last.
    pub fn gather(&mut self, jobs: impl IntoIterator<Item = Job<P>>) -> bool {
        // Read before the queue is drained: what it covers is in the queue or durable already.
        self.batch_mark = *self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stop = false;
        for job in jobs {
            match job {
                Job::Write(records, done) => self.take(&records, done),
                Job::Stop => stop = true,
            }
        }
        stop
    }

    /// Makes the batch durable and tells all who wait for it, or that the log has failed.
    pub fn finish(&mut self) {
        if self.failure.is_none() {
            self.failure = self.finish_batch().err();
        }
        self.fail();
    }

    /// Adds a job's records to the frame, and writes frames that are large enough.
    fn take(&mut self, records: &[Record], done: IOFlushed<Types<P>>) {
        if self.failure.is_none() {
            self.failure = records.iter().try_for_each(|record| self.add(record)).err();
        }
        if bug!(LogAckBeforeSync) {
            return done.io_completed(Ok(()));
        }
        self.waiting.push(done);
    }

    fn add(&mut self, record: &Record) -> Result<(), LogError> {
        record.encode(&mut self.body)?;
        self.marks.note(record);
        if let Record::Entry(entry) = record {
            self.body_last = self.body_last.max(Some(entry.log_id.index));
        }
        if (self.body.len() as u64) < self.reserve.size() / FRAMES_PER_SEGMENT { Ok(()) } else { self.write_frame() }
    }

    /// The end of a batch: the commit mark, the last frame, and those segments that a purge has freed.
    fn finish_batch(&mut self) -> Result<(), LogError> {
        let mark = self.batch_mark;
        if mark.is_some_and(|mark| self.marks.committed < Some(mark)) && !self.body.is_empty() {
            mark.map_or(Ok(()), |mark| self.add(&Record::Committed(mark)))?;
        }
        if !self.body.is_empty() {
            self.write_frame()?;
        }
        // Jobs without records.
        self.waiting.drain(..).for_each(|done| done.io_completed(Ok(())));
        self.remove_purged()
    }

    fn write_frame(&mut self) -> Result<(), LogError> {
        let began = Instant::now();
        let (bytes, mut active) = self.place_frame()?;
        self.write(&*active.file, active.offset, &bytes)?;
        if !bug!(LogSyncSkipped) {
            active.file.sync().map_err(LogError::io("syncing a segment"))?;
        }
        active.offset += bytes.len() as u64;
        active.segment.last_index = active.segment.last_index.max(self.body_last.take());
        self.active = Some(active);
        self.next_frame += 1;
        self.durable = self.marks.clone();
        self.body.clear();
        self.stats.syncs.fetch_add(1, Ordering::Relaxed);
        self.stats.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.stats.last_sync_micros.store(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.waiting.drain(..).for_each(|done| done.io_completed(Ok(())));
        Ok(())
    }

    /// The frame's bytes, and the segment that they fit in: a new one, which begins with the marks, when the running one is full.
    fn place_frame(&mut self) -> Result<(Vec<u8>, Active), LogError> {
        let length = (frame::HEAD + self.body.len()) as u64;
        let mut bytes = frame::start();
        let active = match self.active.take().filter_map_closed(&mut self.closed, length) {
            Some(active) => active,
            None => {
                for record in self.durable.records().filter(|_| !bug!(MarksNotRepeated)) {
                    record.encode(&mut bytes)?;
                }
                let name = segment::name(self.next_frame);
                let file = self.reserve.take(&name).map_err(LogError::io("starting a segment"))?;
                Active { segment: Segment { name, last_index: None }, file, offset: 0, size: self.reserve.size() }
            }
        };
        bytes.extend_from_slice(&self.body);
        frame::seal(&mut bytes, self.next_frame);
        Ok((bytes, active))
    }

    fn write(&self, file: &dyn DiskFile, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        loop {
            match file.write_at(offset, bytes) {
                // Space was promised, but some file systems copy on write. Nothing is acknowledged yet, so waiting is safe.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    self.reserve.note_full();
                    wait();
                }
                result => return result.map_err(LogError::io("writing a segment")),
            }
        }
    }

    /// Removes segments of which every entry is purged, oldest first.
    fn remove_purged(&mut self) -> Result<(), LogError> {
        let purged = self.durable.purged.map(|id| id.index);
        let free = self.closed.iter().take_while(|segment| segment.last_index <= purged).count();
        for segment in self.closed.drain(..free) {
            self.disk.remove(&segment.name).map_err(LogError::io("removing a purged segment"))?;
        }
        Ok(())
    }

    /// Tells all who wait that the log has failed.
    fn fail(&mut self) {
        let Some(failure) = &self.failure else { return };
        if !self.waiting.is_empty() {
            tracing::error!(error = %failure, "the raft log failed: this manager stops writing");
        }
        for done in self.waiting.drain(..) {
            done.io_completed(Err(LogError::Stopped(failure.to_string()).into()));
        }
    }
}

/// Keeps the running segment when a frame still fits, or closes it.
trait FitOrClose {
    fn filter_map_closed(self, closed: &mut Vec<Segment>, length: u64) -> Option<Active>;
}

impl FitOrClose for Option<Active> {
    fn filter_map_closed(self, closed: &mut Vec<Segment>, length: u64) -> Option<Active> {
        let active = self?;
        if active.offset + length <= active.size {
            return Some(active);
        }
        closed.push(active.segment);
        None
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer has a thread of its own")]
fn wait() {
    thread::sleep(RETRY);
}
