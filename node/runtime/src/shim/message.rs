//! What the agent and the shim say to each other. A request is one packet on the spawner's socket with the reply's pipe attached; the
//! answer is written there by whoever knows it, so that requests need no numbers and may overlap.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use cluster_types::Check;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};

use crate::ProbeOutcome;
use crate::record::{Folder, Started};

/// Longest request, in bytes: a path and a word.
const MAX_REQUEST: usize = 8 * 1024;

/// What a process is forked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verb {
    /// Start the prepared container.
    Start,
    /// Take over a container whose keeper died.
    Adopt,
    /// Run a check inside the container.
    Probe(Check),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// What to do.
    pub(crate) verb: Verb,
    /// The container's folder.
    pub(crate) dir: PathBuf,
}

impl Request {
    pub(crate) fn folder(&self) -> Folder {
        Folder(self.dir.clone())
    }
}

/// What came of it. No answer at all means that the shim was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The program runs.
    Started(Started),
    /// The check was run.
    Probed(ProbeOutcome),
    /// It can never run here.
    Rejected(String),
    /// It did not run this time.
    Failed(String),
}

/// Sends a request; `reply` is the writing end of a pipe.
pub(crate) fn send(spawner: BorrowedFd<'_>, request: &Request, reply: BorrowedFd<'_>) -> io::Result<()> {
    let packet = serde_json::to_vec(request).map_err(io::Error::other)?;
    let fds = [reply.as_raw_fd()];
    let attached = [ControlMessage::ScmRights(&fds)];
    sendmsg::<UnixAddr>(spawner.as_raw_fd(), &[IoSlice::new(&packet)], &attached, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Waits for the next request; none when the agent is gone.
pub(super) fn receive(agent: BorrowedFd<'_>) -> io::Result<Option<(Request, OwnedFd)>> {
    let mut packet = [0; MAX_REQUEST];
    let mut attached = nix::cmsg_space!([std::os::fd::RawFd; 1]);
    let (length, reply) = {
        let mut parts = [IoSliceMut::new(&mut packet)];
        let got = loop {
            match recvmsg::<UnixAddr>(agent.as_raw_fd(), &mut parts, Some(&mut attached), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(nix::errno::Errno::EINTR) => {}
                other => break other?,
            }
        };
        let reply = got.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        (got.bytes, reply)
    };
    let Some(raw) = reply else { return Ok(None) };
    // SAFETY: the kernel just made this descriptor for us; nothing else knows it.
    #[expect(unsafe_code, reason = "a received descriptor comes as a number")]
    let reply = unsafe { OwnedFd::from_raw_fd(raw) };
    let request = serde_json::from_slice(&packet[..length]).map_err(io::Error::other)?;
    Ok(Some((request, reply)))
}

/// Answers. The agent may be gone: then nobody misses it.
pub(super) fn reply(pipe: &OwnedFd, reply: &Reply) {
    if let (Ok(bytes), Ok(pipe)) = (serde_json::to_vec(reply), pipe.as_fd().try_clone_to_owned()) {
        let _ = File::from(pipe).write_all(&bytes);
    }
}
