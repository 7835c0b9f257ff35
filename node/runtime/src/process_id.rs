//! A process that is not mistaken for a later one with the same PID: PID plus start time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

/// Names one process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// PID in the agent's PID namespace.
    pub(crate) pid: i32,
    /// Clock ticks from boot to its start (field 22 of `/proc/PID/stat`).
    pub(crate) started: u64,
}

impl ProcessId {
    /// The process that has this PID now.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let (_, started) = stat(pid)?;
        Ok(Self { pid, started })
    }

    /// Whether it still runs; a zombie does not.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid).is_ok_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'))
    }

    /// Whether it waits in the kernel and cannot be killed now.
    pub(crate) fn is_stuck(self) -> bool {
        stat(self.pid).is_ok_and(|(state, started)| started == self.started && state == 'D')
    }

    /// A descriptor of the process: readable once it ended. None when it is gone already.
    pub(crate) fn open(self) -> Option<OwnedFd> {
        let fd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Checked after the open: the descriptor cannot move to another process any more.
        self.is_alive().then_some(fd)
    }
}

impl ProcessId {
    /// Sends a signal by number, unless the process is gone: never to another one with its PID.
    pub(crate) fn signal(self, number: i32) {
        let Some(fd) = self.open() else { return };
        // SAFETY: the descriptor is open, and the kernel takes a null pointer for "no further information".
        #[expect(unsafe_code, reason = "rustix's form knows no real-time signals")]
        unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), number, std::ptr::null::<libc::siginfo_t>(), 0)
        };
    }
}

/// State letter and start time. The name in the second field may hold anything, so the fields are counted from its last bracket.
fn stat(pid: i32) -> io::Result<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "unreadable process status");
    let (_, fields) = text.rsplit_once(')').ok_or_else(invalid)?;
    let mut fields = fields.split_whitespace();
    let state = fields.next().and_then(|field| field.chars().next()).ok_or_else(invalid)?;
    let started = fields.nth(18).and_then(|field| field.parse().ok()).ok_or_else(invalid)?;
    Ok((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_with_its_pid_does_not() {
        let me = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive() && me.open().is_some());
        assert!(!ProcessId { started: me.started + 1, ..me }.is_alive());
    }
}
