//! The agent's end of the shim: keeps one spawner process running and puts requests to it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use tokio::io::AsyncReadExt;

use super::ShimCommand;
use crate::shim::message::{self, Reply, Request};

/// Starts keepers on request.
pub(super) struct Spawner {
    /// The program, in memory that nobody can write any more.
    program: OwnedFd,
    args: Vec<std::ffi::OsString>,
    process: Mutex<Option<Process>>,
}

struct Process {
    socket: OwnedFd,
    child: Child,
}

impl Spawner {
    /// Copies the shim's program. No process is started before it is needed.
    pub(super) fn new(command: &ShimCommand) -> io::Result<Self> {
        let program = memfd_create("cluster-shim", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut copy = File::from(program);
        io::copy(&mut File::open(&command.program)?, &mut copy)?;
        let program = OwnedFd::from(copy);
        fcntl_add_seals(&program, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { program, args: command.args.clone(), process: Mutex::new(None) })
    }

    /// Puts a request and waits for the answer; none when the shim died over it.
    pub(super) async fn ask(&self, request: &Request) -> io::Result<Option<Reply>> {
        match self.ask_once(request).await? {
            Some(reply) => Ok(Some(reply)),
            // A spawner that was killed took the request with it. Nobody works on it any more (they would hold the pipe open), so it may
            // be put again; the keeper refuses what was done already.
            None => self.ask_once(request).await,
        }
    }

    async fn ask_once(&self, request: &Request) -> io::Result<Option<Reply>> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        self.send(request, writer)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let mut answer = Vec::new();
        tokio::net::unix::pipe::Receiver::from_owned_fd(reader)?.read_to_end(&mut answer).await?;
        if answer.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&answer).map(Some).map_err(io::Error::other)
    }

    /// Sends a request to the spawner; one that died is replaced.
    fn send(&self, request: &Request, reply: OwnedFd) -> io::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = process.as_ref() {
            match message::send(running.socket.as_fd(), request, reply.as_fd()) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the shim is gone; it is started again"),
            }
        }
        *process = None;
        let running = self.spawn()?;
        message::send(running.socket.as_fd(), request, reply.as_fd())?;
        *process = Some(running);
        Ok(())
    }

    fn spawn(&self) -> io::Result<Process> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        // Through the link the descriptor is found although it closes on exec.
        let child = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()))
            .arg0("cluster-shim")
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .current_dir("/")
            .spawn()?;
        Ok(Process { socket: ours, child })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its end of the socket closes, so it ends; a moment of waiting leaves no zombie.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}
