//! openraft's side of the log: contents in memory, records to the writer, in the same order.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::{LogState, OptionalSend};
use tokio::sync::watch;

use super::contents::Contents;
use super::record::Record;
use super::recovery::recover;
use super::reserve::Reserve;
use super::segment::SEGMENT_BYTES;
use super::writer::{self, CommitMark, Job, WriterStats};
use super::{LogError, recovery};
use crate::disk::Disk;
use crate::types::{LogEntry, LogId, Types, Vote, entry_size};

/// Most bytes of entries in one message to a follower (design: no message over 1 MiB; the rest is for the envelope).
pub const ENTRIES_BYTES: usize = cluster_types::limits::MESSAGE_BYTES - (64 << 10);

/// The log. A clone is another handle to the same one.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    contents: Mutex<Contents>,
    jobs: Sender<Job>,
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
        let recovered: recovery::Recovered = recover(&*disk)?;
        if recovered.torn_bytes > 0 {
            tracing::warn!(
                bytes = recovered.torn_bytes,
                "dropped the end of the raft log: a write that was cut off and never acknowledged"
            );
        }
        let reserve = Reserve::start(disk.clone(), segment_bytes).map_err(LogError::io("starting the reserve's thread"))?;
        let full = reserve.full();
        let (writer, contents) = writer::start(disk, reserve, recovered).map_err(LogError::io("starting the writer's thread"))?;
        let shared = Shared {
            contents: Mutex::new(contents),
            jobs: writer.jobs,
            mark: writer.mark,
            stats: writer.stats,
            full,
            thread: Mutex::new(Some(writer.thread)),
            stopped: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
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
        // An error means that it has ended already.
        let _ = self.shared.jobs.send(Job::Stop);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the raft log panicked");
        }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.shared.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records in, and has them written.
    fn write(&self, records: Vec<Record>, done: IOFlushed<Types>) -> io::Result<()> {
        if self.shared.stopped.load(Ordering::Acquire) {
            return Err(LogError::Stopped("it was shut down".to_owned()).into());
        }
        let mut contents = self.contents();
        for record in &records {
            contents.take(record.clone());
        }
        // Under the lock, so that memory and disk see the same order.
        self.shared.jobs.send(Job::Write(records, done)).map_err(|_| LogError::Stopped("its writer has ended".to_owned()).into())
    }

    async fn write_and_wait(&self, records: Vec<Record>) -> io::Result<()> {
        let (sender, flushed) = Types::oneshot();
        self.write(records, IOFlushed::signal(sender))?;
        flushed.await.map_err(|_| io::Error::from(LogError::Stopped("its writer has ended".to_owned())))?
    }
}

impl RaftLogReader<Types> for LogStore {
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

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let contents = self.contents();
        Ok(LogState { last_purged_log_id: contents.purged, last_log_id: contents.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
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
        Ok(contents.committed.min(contents.last()))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.write(entries.into_iter().map(Record::Entry).collect(), callback)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.write(vec![Record::Truncate(last)], IOFlushed::noop())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.write(vec![Record::Purge(upto)], IOFlushed::noop())
    }
}

#[cfg(test)]
mod tests;
