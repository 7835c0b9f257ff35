//! The prober: runs one check inside a running container, in a process of its own that ends afterwards.
//!
//! The check is what the container's process is: same user, privileges, environment, directory, limits and namespaces. It is in a control
//! group of its own below the container's, and all of that is killed at the end, so that neither a check that hangs nor one that leaves
//! processes behind outlives its time.
//!
//! Until the check is executed, the forked process is a copy of this one that the container's processes can see. It cannot be looked into
//! (it is not dumpable), and its program cannot be written (see [`super`]).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cluster_types::limits::PROBE_BYTES;
use cluster_types::{Check, HealthCheck, Ulimit};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::credentials::Credentials;
use super::{fork, init, message, program, root};
use crate::ProbeOutcome;
use crate::cgroup::ProbeGroup;
use crate::process_id::ProcessId;
use crate::record::{self, Folder, Record, Started};
use crate::spec;

/// Longest wait at once; the loop looks again.
const LONG: Duration = Duration::from_secs(60);
/// A container that takes its probe with it ends within this time.
const ENDING: Duration = Duration::from_secs(1);

/// Runs the check and answers. The result is the prober's exit code.
pub(super) fn run(folder: &Folder, check: Check, reply: &OwnedFd) -> i32 {
    let outcome = probe(folder, check).unwrap_or_else(|error| ProbeOutcome::NotRun(format!("cannot run the probe: {error}")));
    message::reply(reply, &message::Reply::Probed(outcome));
    0
}

fn probe(folder: &Folder, check: Check) -> io::Result<ProbeOutcome> {
    let unknown = || io::Error::other("nothing is known of this container");
    let record: Record = record::load(&folder.container())?.ok_or_else(unknown)?;
    let started: Started = record::load(&folder.state())?.ok_or_else(unknown)?;
    let how = record.checks.of(check).ok_or_else(unknown)?;
    let Some(container) = started.init.open() else { return Ok(gone()) };
    nix::sys::prctl::set_name(c"cluster-probe")?;
    let credentials = credentials(&record, how, started.init)?;
    let group = record.layout.probe_group(&record.cgroup)?;
    let probe = Probe { container, credentials, group, ulimits: &record.config.spec.container.ulimits };
    let outcome = probe.run(how.timeout);
    let cleared = probe.group.end();
    match outcome? {
        // The kernel kills what is in a container that ends.
        ProbeOutcome::Exited { code, .. } if code == 128 + libc::SIGKILL && ends(started.init) => Ok(gone()),
        _ if !started.init.is_alive() => Ok(gone()),
        ProbeOutcome::TimedOut { output } if !cleared => {
            Ok(ProbeOutcome::TimedOut { output: format!("{output}\n(a process of it does not end after SIGKILL)") })
        }
        outcome => Ok(outcome),
    }
}

fn gone() -> ProbeOutcome {
    ProbeOutcome::NotRun("the container has ended".to_owned())
}

/// Whether a container ends just now.
fn ends(init: ProcessId) -> bool {
    let Some(process) = init.open() else { return true };
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout(ENDING)).is_ok_and(|ready| ready > 0)
}

/// Those of the container's process, with the check as its program.
fn credentials(record: &Record, how: &HealthCheck, init: ProcessId) -> io::Result<Credentials> {
    let root = rustix::fs::open(format!("/proc/{}/root", init.pid), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let process = spec::process_of(record, &root::accounts(root.as_fd())).map_err(io::Error::other)?;
    let mut credentials = Credentials::of(&process, &record.config.spec.container, &record.layout).map_err(io::Error::other)?;
    credentials.args.clone_from(&how.command);
    Ok(credentials)
}

struct Probe<'a> {
    /// PID 1 of the container.
    container: OwnedFd,
    credentials: Credentials,
    group: ProbeGroup,
    ulimits: &'a [Ulimit],
}

impl Probe<'_> {
    fn run(&self, time: Duration) -> io::Result<ProbeOutcome> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (failure_reader, failure_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        nix::sys::prctl::set_dumpable(false)?;
        // Only children enter it; a container that has ended takes none.
        setns(&self.container, CloneFlags::CLONE_NEWPID)?;
        let deadline = Instant::now() + time;
        let child = fork::child(|| self.enter(&writer, &failure_writer))?;
        drop((writer, failure_writer));
        let mut attended = Attended::new(child, reader)?;
        let ended = attended.until(deadline)?;
        if !ended {
            self.group.kill();
            // It may not have come as far as its group.
            let _ = nix::sys::signal::kill(child, Signal::SIGKILL);
        }
        let status = waitpid(child, None)?;
        attended.drain();
        let mut failure = String::new();
        File::from(failure_reader).read_to_string(&mut failure)?;
        Ok(match (ended, status) {
            _ if !failure.is_empty() => ProbeOutcome::NotRun(failure),
            (false, _) => ProbeOutcome::TimedOut { output: attended.output() },
            (true, WaitStatus::Exited(_, code)) => ProbeOutcome::Exited { code, output: attended.output() },
            (true, WaitStatus::Signaled(_, signal, _)) => ProbeOutcome::Exited { code: 128 + signal as i32, output: attended.output() },
            (true, other) => ProbeOutcome::NotRun(format!("the probe ended in an odd way: {other:?}")),
        })
    }

    /// Becomes the check.
    fn enter(&self, output: &OwnedFd, failure: &OwnedFd) -> i32 {
        if let Err(error) = self.prepare(output) {
            if let Ok(pipe) = failure.try_clone() {
                let _ = File::from(pipe).write_all(format!("cannot enter the container: {error}").as_bytes());
            }
            return init::NOT_STARTED;
        }
        let failure = program::execute(&self.credentials.args, &self.credentials.env);
        let _ = io::stdout().write_all(failure.reason.as_bytes());
        let _ = io::stdout().flush();
        failure.code
    }

    /// Into the group first: from then on it can be killed whatever happens.
    fn prepare(&self, output: &OwnedFd) -> io::Result<()> {
        self.group.join()?;
        std::fs::write("/proc/self/oom_score_adj", "0")?;
        nix::unistd::setsid()?;
        let all = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP;
        setns(&self.container, all)?;
        nix::unistd::dup2_stdout(output)?;
        nix::unistd::dup2_stderr(output)?;
        for limit in self.ulimits {
            if let Some(resource) = resource(&limit.name) {
                setrlimit(resource, limit.soft, limit.hard)?;
            }
        }
        self.credentials.apply()?;
        fork::default_signals();
        Ok(SigSet::empty().thread_set_mask()?)
    }
}

/// A running check and what it has written.
struct Attended {
    process: OwnedFd,
    /// None once all writers are gone.
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Attended {
    fn new(child: Pid, pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let raw = rustix::process::Pid::from_raw(child.as_raw()).ok_or_else(|| io::Error::other("no process"))?;
        let process = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty())?;
        Ok(Self { process, pipe: Some(File::from(pipe)), bytes: Vec::new() })
    }

    /// Takes in output until the check ends; false when it does not in time.
    fn until(&mut self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut fds = vec![PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
            fds.extend(self.pipe.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
            match poll(&mut fds, timeout(left)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ended = fds[0].any().unwrap_or(false);
            drop(fds);
            self.drain();
            if ended {
                return Ok(true);
            }
        }
    }

    /// What is there now. What is beyond the limit is read all the same, or else the check would wait for a reader.
    fn drain(&mut self) {
        let mut chunk = [0; PROBE_BYTES];
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = PROBE_BYTES.saturating_sub(self.bytes.len()).min(count);
                self.bytes.extend_from_slice(&chunk[..room]);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }

    fn output(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        text.truncate(text.floor_char_boundary(PROBE_BYTES));
        text
    }
}

/// Rounded up, so that nothing is waited for again and again in the last millisecond.
fn timeout(time: Duration) -> PollTimeout {
    PollTimeout::try_from(time.min(LONG) + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
}

/// A limit by its name in a spec.
fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "locks" => Resource::RLIMIT_LOCKS,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "msgqueue" => Resource::RLIMIT_MSGQUEUE,
        "nice" => Resource::RLIMIT_NICE,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "rss" => Resource::RLIMIT_RSS,
        "rtprio" => Resource::RLIMIT_RTPRIO,
        "rttime" => Resource::RLIMIT_RTTIME,
        "sigpending" => Resource::RLIMIT_SIGPENDING,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use cluster_types::linux::ULIMITS;

    use super::*;

    #[test]
    fn every_limit_has_a_number() {
        assert!(ULIMITS.iter().all(|name| resource(name).is_some()));
    }
}
