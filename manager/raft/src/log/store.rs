//! openraft's side of the log: contents in memory, records to the writer, in the same order.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use cluster_types::bug;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::{LogState, OptionalSend};
use tokio::sync::watch;

use super::LogError;
use super::contents::Contents;
use super::record::Record;
use super::recovery::{Recovered, recover};
use super::reserve::Reserve;
use super::segment::SEGMENT_BYTES;
use super::writer::{CommitMark, Job, Writer, WriterStats};
use crate::disk::Disk;
use crate::platform::{Platform, Tokio};
use crate::types::{LogEntry, LogId, Types, Vote, entry_size};

/// Most bytes of entries in one message to a follower (design: no message over 1 MiB; the rest is for the envelope).
pub const ENTRIES_BYTES: usize = cluster_types::limits::MESSAGE_BYTES - (64 << 10);

/// Hands a job to the writer; false when it has ended.
type Jobs<P> = Box<dyn Fn(Job<P>) -> bool + Send + Sync>;

/// The log. A clone is another handle to the same one.
pub struct LogStore<P: Platform = Tokio> {
    shared: Arc<Shared<P>>,
}

impl<P: Platform> Clone for LogStore<P> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

struct Shared<P: Platform> {
    contents: Mutex<Contents>,
    jobs: Jobs<P>,
    mark: CommitMark,
    stats: Arc<WriterStats>,
    full: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stopped: AtomicBool,
}

impl LogStore {
    /// Recovers the log of `disk` and starts its writer. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, LogError> {
        Self::open_with(disk, SEGMENT_BYTES)
    }

    /// As [`LogStore::open`], with segments of another size.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn open_with(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<Self, LogError> {
        let recovered = recovered(&*disk)?;
        let reserve = Reserve::start(disk.clone(), segment_bytes).map_err(LogError::io("starting the reserve's thread"))?;
        let (jobs, queue) = channel();
        let (log, writer) = Self::assemble(disk, reserve, recovered, Box::new(move |job| jobs.send(job).is_ok()));
        let thread = thread::Builder::new().name("raft-log".into()).spawn(move || writer.run(&queue));
        *log.shared.thread.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(thread.map_err(LogError::io("starting the writer's thread"))?);
        Ok(log)
    }
}

/// What is on the disk; tells of a torn end.
fn recovered(disk: &dyn Disk) -> Result<Recovered, LogError> {
    let recovered = recover(disk)?;
    if recovered.torn_bytes > 0 {
        tracing::warn!(bytes = recovered.torn_bytes, "dropped the end of the raft log: a write that was cut off and never acknowledged");
    }
    Ok(recovered)
}

impl<P: Platform> LogStore<P> {
    /// Recovers the log of `disk` without a thread: the caller runs the writer, to which `jobs` hands what is asked.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn open_without_threads(disk: Arc<dyn Disk>, segment_bytes: u64, jobs: Jobs<P>) -> Result<(Self, Writer<P>), LogError> {
        let recovered = recovered(&*disk)?;
        let reserve = Reserve::without_thread(disk.clone(), segment_bytes);
        Ok(Self::assemble(disk, reserve, recovered, jobs))
    }

    fn assemble(disk: Arc<dyn Disk>, reserve: Arc<Reserve>, recovered: Recovered, jobs: Jobs<P>) -> (Self, Writer<P>) {
        let full = reserve.full();
        let (writer, contents) = Writer::new(disk, reserve, recovered);
        let shared = Shared {
            contents: Mutex::new(contents),
            jobs,
            mark: writer.mark(),
            stats: writer.stats(),
            full,
            thread: Mutex::default(),
            stopped: AtomicBool::new(false),
        };
        (Self { shared: Arc::new(shared) }, writer)
    }

    /// Whether the disk is too full for proposals.
    #[must_use]
    pub fn full(&self) -> watch::Receiver<bool> {
        self.shared.full.clone()
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> &WriterStats {
        &self.shared.stats
    }

    /// About how many bytes the entries take that no snapshot has replaced.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.contents().bytes()
    }

    /// Whether nothing was ever written: no entry, no vote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let contents = self.contents();
        contents.vote.is_none() && contents.last().is_none()
    }

    /// Writes what was asked before and ends the writer. Blocks on the disk. Later writes fail.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Unless it has ended already.
        (self.shared.jobs)(Job::Stop);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the raft log panicked");
        }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.shared.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records in, and has them written.
    fn write(&self, records: Vec<Record>, done: IOFlushed<Types<P>>) -> io::Result<()> {
        if self.shared.stopped.load(Ordering::Acquire) {
            return Err(LogError::Stopped("it was shut down".to_owned()).into());
        }
        let mut contents = self.contents();
        for record in &records {
            contents.take(record.clone());
        }
        // Under the lock, so that memory and disk see the same order.
        if (self.shared.jobs)(Job::Write(records, done)) {
            Ok(())
        } else {
            Err(LogError::Stopped("its writer has ended".to_owned()).into())
        }
    }

    async fn write_and_wait(&self, records: Vec<Record>) -> io::Result<()> {
        let (sender, flushed) = Types::<P>::oneshot();
        self.write(records, IOFlushed::signal(sender))?;
        flushed.await.map_err(|_| io::Error::from(LogError::Stopped("its writer has ended".to_owned())))?
    }
}

impl<P: Platform> RaftLogReader<Types<P>> for LogStore<P> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(&mut self, range: RB) -> io::Result<Vec<LogEntry>> {
        Ok(self.contents().range(&range).cloned().collect())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<LogEntry>> {
        let mut bytes = 0;
        let contents = self.contents();
        let wanted = start..end;
        let fits = contents.range(&wanted).take_while(|entry| {
            let first = bytes == 0;
            bytes += entry_size(entry);
            first || bytes <= ENTRIES_BYTES
        });
        Ok(fits.cloned().collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.contents().vote)
    }
}

impl<P: Platform> RaftLogStorage<Types<P>> for LogStore<P> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types<P>>> {
        let contents = self.contents();
        Ok(LogState { last_purged_log_id: contents.purged, last_log_id: contents.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        if bug!(VoteNotWritten) {
            self.contents().vote = Some(*vote);
            return Ok(());
        }
        self.write_and_wait(vec![Record::Vote(*vote)]).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.contents().committed = Some(committed);
            *self.shared.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(committed);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let contents = self.contents();
        if bug!(CommittedTooFar) {
            return Ok(contents.last());
        }
        Ok(contents.committed.min(contents.last()))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types<P>>) -> io::Result<()>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.write(entries.into_iter().map(Record::Entry).collect(), callback)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        if bug!(TruncateNotWritten) {
            self.contents().take(Record::Truncate(last));
            return Ok(());
        }
        self.write(vec![Record::Truncate(last)], IOFlushed::noop())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.write(vec![Record::Purge(upto)], IOFlushed::noop())
    }
}

#[cfg(test)]
mod tests;
