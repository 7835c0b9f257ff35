//! Reads the log of a container as a stream: the last lines, lines since a moment, and new ones as they come. Woken by inotify, never polls.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use futures::{StreamExt, stream};
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use super::{files, format};
use crate::{LogLine, LogOptions, LogStream, RuntimeError};

/// Bytes read from a file at once.
const CHUNK: usize = 64 * 1024;

/// Where a reader is.
struct Reader {
    dir: PathBuf,
    options: LogOptions,
    /// The file being read; none before the first one exists.
    current: Option<(u64, std::fs::File)>,
    /// Bytes of a record whose end was not read yet.
    torn: Vec<u8>,
    ready: VecDeque<LogLine>,
    watch: Option<AsyncFd<OwnedFd>>,
    /// Exists once the container ended: nothing is written any more.
    end_mark: PathBuf,
    finished: bool,
}

/// The lines of the log in `dir`. A follower ends once `end_mark` exists and everything before it was read, or the folder is gone.
pub(crate) fn read(dir: &Path, end_mark: PathBuf, options: LogOptions) -> Result<LogStream, RuntimeError> {
    let failed = |error: io::Error| RuntimeError::Failed(format!("cannot read the log in {}: {error}", dir.display()));
    let watch = if options.follow { Some(watch(dir).map_err(failed)?) } else { None };
    let current = match options.tail {
        Some(count) => tail_start(dir, count).map_err(failed)?,
        None => None,
    };
    let reader =
        Reader { dir: dir.to_owned(), options, current, torn: Vec::new(), ready: VecDeque::new(), watch, end_mark, finished: false };
    Ok(stream::unfold(reader, Reader::next).boxed())
}

impl Reader {
    async fn next(mut self) -> Option<(Result<LogLine, RuntimeError>, Self)> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some((Ok(line), self));
            }
            if self.finished {
                return None;
            }
            match self.advance().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.finished = true;
                    return Some((Err(RuntimeError::Failed(format!("cannot read the log: {error}"))), self));
                }
            }
        }
    }

    /// Reads on or waits; false at the end.
    async fn advance(&mut self) -> io::Result<bool> {
        // Looked at before the read: what is written after the mark does not exist.
        let ended = self.end_mark.exists() || !self.dir.exists();
        if self.fill()? {
            return Ok(true);
        }
        match (&self.watch, ended) {
            (Some(watch), false) => {
                changed(watch).await?;
                Ok(true)
            }
            (Some(_) | None, _) => Ok(false),
        }
    }

    /// Reads the next chunk of the log; false when there is none now.
    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let Some((number, file)) = &mut self.current else {
                match self.following(0)? {
                    true => continue,
                    false => return Ok(false),
                }
            };
            let number = *number;
            let next_exists = newer(&self.dir, number)?.is_some();
            let count = file.read(&mut chunk)?;
            if count > 0 {
                self.take(&chunk[..count]);
                return Ok(true);
            }
            if !next_exists || !self.following(number)? {
                return Ok(false);
            }
        }
    }

    /// Opens the first file behind `number`.
    fn following(&mut self, number: u64) -> io::Result<bool> {
        while let Some(next) = newer(&self.dir, number)? {
            match std::fs::File::open(files::path(&self.dir, next)) {
                Ok(file) => {
                    self.torn.clear();
                    self.current = Some((next, file));
                    return Ok(true);
                }
                // Rotated away between the look and the open.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.torn.extend_from_slice(part);
            if self.torn.last() == Some(&b'\n') {
                self.torn.pop();
                let since = self.options.since_ns.unwrap_or(0);
                self.ready.extend(format::decode(&self.torn).filter(|line| line.at_ns >= since));
                self.torn.clear();
            }
        }
    }
}

fn newer(dir: &Path, number: u64) -> io::Result<Option<u64>> {
    match files::numbers(dir) {
        Ok(numbers) => Ok(numbers.into_iter().find(|next| *next > number)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file and position behind which exactly `count` records follow; none when the log has fewer (read from the start).
fn tail_start(dir: &Path, count: u64) -> io::Result<Option<(u64, std::fs::File)>> {
    let mut wanted = count;
    for number in files::numbers(dir)?.into_iter().rev() {
        let mut file = std::fs::File::open(files::path(dir, number))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        match start_of_last(&bytes, &mut wanted) {
            Some(position) => {
                file.seek(SeekFrom::Start(position as u64))?;
                return Ok(Some((number, file)));
            }
            None => continue,
        }
    }
    Ok(None)
}

/// Where the last `wanted` records of `bytes` start; counts down what was found when they are fewer.
fn start_of_last(bytes: &[u8], wanted: &mut u64) -> Option<usize> {
    let mut end = bytes.len();
    loop {
        if *wanted == 0 {
            return Some(end);
        }
        if end == 0 {
            return None;
        }
        let start = bytes[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if format::decode(&bytes[start..end - 1]).is_some() {
            *wanted -= 1;
        }
        end = start;
    }
}

fn watch(dir: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let events = inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::DELETE_SELF;
    inotify::add_watch(&fd, dir, events)?;
    crate::async_fd::readable(fd)
}

/// Waits until something changed, and forgets what: the files say it.
async fn changed(watch: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut guard = watch.readable().await?;
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(watch.get_ref(), &mut buffer) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    guard.clear_ready();
    Ok(())
}
