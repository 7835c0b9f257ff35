//! The parent of one container: pumps its output into the log, waits for its end, writes it down, removes the control group.
//!
//! It allocates little and never waits for anybody but the container, so that there can be thousands.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::message::{self, Reply};
use super::{fork, launch, slim};
use crate::log::writer::LogWriter;
use crate::process_id::ProcessId;
use crate::record::{self, Exit, Folder, Record, Started};

/// Bytes taken from a container's stream at once.
const CHUNK: usize = 8 * 1024;

/// Exit code when it is not known.
pub(crate) const UNKNOWN_CODE: i32 = 255;

/// Starts the container in a folder and stays with it. The result is the keeper's own exit code.
pub(super) fn start(folder: &Folder, reply: OwnedFd) -> i32 {
    match try_start(folder, reply) {
        Ok(()) => 0,
        Err((error, reply)) => {
            message::reply(&reply, &Reply::Failed(format!("cannot start the container: {error}")));
            1
        }
    }
}

fn try_start(folder: &Folder, reply: OwnedFd) -> Result<(), (io::Error, OwnedFd)> {
    let prepared = Streams::new().and_then(|streams| {
        let lock = lock(folder)?;
        if folder.state().exists() {
            return Err(io::Error::other("it was started before"));
        }
        let record: Record = record::load(&folder.container())?.ok_or_else(|| io::Error::other("there is no container.json"))?;
        Ok((lock, streams, record, rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?, child_signals()?))
    });
    let (lock, streams, record, (pid_reader, pid_writer), children) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err((error, reply)),
    };
    let Streams { readers, writers } = streams;
    let launcher = fork::child(|| launch::run(folder, &record, &writers, &pid_writer, &reply));
    if let Err(error) = launcher {
        return Err((error, reply));
    }
    drop((lock, reply, writers, pid_writer));
    let init = read_pid(pid_reader);
    let mut keeper = Keeper { folder, record: &record, readers, log: None };
    match init {
        Some(init) => {
            keeper.log = LogWriter::open(&folder.0, record.log).ok();
            keeper.keep_child(init, &children);
        }
        // The launcher has said why; what it left is taken away.
        None => {
            while waitpid(None, None).is_ok() {}
            keeper.remove_cgroup();
        }
    }
    Ok(())
}

/// Says that a start is under way. The launcher inherits the lock and the keeper lets it go, so it is open once the launcher has ended.
fn lock(folder: &Folder) -> io::Result<File> {
    let file = File::open(folder.lock())?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Takes over a container whose keeper was killed: goes on with the log, and notices the end, whose code nobody can know.
pub(super) fn adopt(folder: &Folder, reply: OwnedFd) -> i32 {
    let loaded = record::load::<Record>(&folder.container()).and_then(|record| Ok((record, record::load::<Started>(&folder.state())?)));
    let Ok((Some(record), Some(started))) = loaded else {
        message::reply(&reply, &Reply::Failed("nothing is known of this container".to_owned()));
        return 1;
    };
    let Ok(keeper_id) = ProcessId::of(std::process::id().cast_signed()) else { return 1 };
    let started = Started { keeper: keeper_id, ..started };
    if let Err(error) = record::save(&folder.state(), &started, false) {
        message::reply(&reply, &Reply::Failed(format!("cannot write the container's state: {error}")));
        return 1;
    }
    let readers = [1, 2].map(|number| open_stream(&format!("/proc/{}/fd/{number}", started.init.pid)));
    message::reply(&reply, &Reply::Started(started.clone()));
    drop(reply);
    let keeper = Keeper { folder, record: &record, readers, log: LogWriter::open(&folder.0, record.log).ok() };
    keeper.keep_stranger(started.init);
    0
}

/// The reading end of an output pipe. Only a pipe is taken: a program that is its own PID 1 may have put anything in the place of its
/// output.
fn open_stream(path: &str) -> Option<File> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()?);
    let mode = rustix::fs::fstat(&file).ok()?.st_mode;
    (rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Fifo).then_some(file)
}

/// The pipes of stdout and stderr.
struct Streams {
    readers: [Option<File>; 2],
    writers: [OwnedFd; 2],
}

impl Streams {
    fn new() -> io::Result<Self> {
        let (out_reader, out_writer) = stream()?;
        let (err_reader, err_writer) = stream()?;
        Ok(Self { readers: [Some(out_reader), Some(err_reader)], writers: [out_writer, err_writer] })
    }
}

/// A pipe whose container end can also be read: when the keeper dies, the container waits for the next one instead of being killed by
/// SIGPIPE.
fn stream() -> io::Result<(File, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK)?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    let both = rustix::fs::open(path, rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    Ok((File::from(reader), both))
}

fn child_signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// The PID of the container's PID 1, as the launcher tells it; none when it failed before.
fn read_pid(pipe: OwnedFd) -> Option<Pid> {
    let mut bytes = [0; 4];
    File::from(pipe).read_exact(&mut bytes).ok()?;
    Some(Pid::from_raw(i32::from_ne_bytes(bytes)))
}

struct Keeper<'a> {
    folder: &'a Folder,
    record: &'a Record,
    readers: [Option<File>; 2],
    log: Option<LogWriter>,
}

impl Keeper<'_> {
    /// Stays until the own child ended.
    fn keep_child(mut self, init: Pid, children: &SignalFd) {
        slim::slim();
        let code = loop {
            if let Some(code) = reap(init, children) {
                break code;
            }
            self.pump(children.as_fd());
        };
        self.end(code, None);
    }

    /// Stays until a process that is not a child ended.
    fn keep_stranger(mut self, init: ProcessId) {
        let Some(process) = init.open() else {
            return self.end(UNKNOWN_CODE, Some(UNKNOWN_END.to_owned()));
        };
        while init.is_alive() {
            self.pump(process.as_fd());
        }
        self.end(UNKNOWN_CODE, Some(UNKNOWN_END.to_owned()));
    }

    /// Waits for output or for `other`, and takes the output.
    fn pump(&mut self, other: std::os::fd::BorrowedFd<'_>) {
        let mut fds = vec![PollFd::new(other, PollFlags::POLLIN)];
        fds.extend(self.readers.iter().flatten().map(|reader| PollFd::new(reader.as_fd(), PollFlags::POLLIN)));
        // An error is a signal or a momentary lack of memory: the loop looks again.
        let _ = poll(&mut fds, PollTimeout::NONE);
        drop(fds);
        self.drain();
    }

    /// Takes what the streams have now.
    fn drain(&mut self) {
        let mut chunk = [0; CHUNK];
        for number in 0..2 {
            let Some(reader) = &mut self.readers[number] else { continue };
            match reader.read(&mut chunk) {
                Ok(0) => self.readers[number] = None,
                Ok(count) => {
                    if let Some(log) = &mut self.log {
                        log.push(number == 1, &chunk[..count], now_ns());
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => self.readers[number] = None,
            }
        }
    }

    /// The container is gone: the rest of its output, its control group, and the record of its end, in that order.
    fn end(mut self, code: i32, error: Option<String>) {
        while self.has_output() {
            self.drain();
        }
        if let Some(log) = &mut self.log {
            log.finish(now_ns());
        }
        let oom = code != 0 && self.record.layout.oom_kills(&self.record.cgroup) > 0;
        self.remove_cgroup();
        let exit = Exit { code, oom, at: now_ns() / 1_000_000, error };
        // Without this file the agent reports an unknown end: it is all that can be done on a full disk.
        let _ = record::save(&self.folder.exit(), &exit, true);
    }

    fn has_output(&self) -> bool {
        let readers = self.readers.iter().flatten();
        let mut fds: Vec<PollFd<'_>> = readers.map(|reader| PollFd::new(reader.as_fd(), PollFlags::POLLIN)).collect();
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// The kernel may take a moment to let go of a group whose processes just ended.
    fn remove_cgroup(&self) {
        for _ in 0..50 {
            if self.record.layout.remove(&self.record.cgroup).is_ok() {
                return;
            }
            self.record.layout.kill(&self.record.cgroup);
            let _ = poll(&mut [], 10_u8);
        }
    }
}

/// What is said of a container whose end nobody saw.
pub(crate) const UNKNOWN_END: &str = "its end was not seen: the exit code is not known";

/// Waits for children that ended; the exit code once `init` is among them.
fn reap(init: Pid, children: &SignalFd) -> Option<i32> {
    while let Ok(Some(_)) = children.read_signal() {}
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == init => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == init => code = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_) => {}
        }
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
