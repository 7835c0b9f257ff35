//! The launcher: makes a container with libcontainer and starts its program. Runs in a process of its own that ends afterwards.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use cluster_types::MountKind;
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;

use super::credentials::Credentials;
use super::init::{Init, StartFailure};
use super::message::{self, Reply};
use super::root;
use crate::process_id::ProcessId;
use crate::record::{self, Folder, Record, Started};
use crate::spec::{self, HostPaths, SpecError};

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    /// The spec, the image or the program: it would fail again.
    #[error("{0}")]
    Rejected(String),
    /// This host, this time.
    #[error("{0}")]
    Failed(String),
}

impl From<SpecError> for LaunchError {
    fn from(error: SpecError) -> Self {
        Self::Rejected(error.0)
    }
}

/// Names what was being done when a call failed.
fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> LaunchError {
    move |error| LaunchError::Failed(format!("cannot {what}: {error}"))
}

/// Starts the container, tells the keeper its PID and the agent the outcome. The result is the launcher's exit code.
pub(super) fn run(folder: &Folder, record: &Record, output: &[OwnedFd; 2], pid_pipe: &OwnedFd, agent: &OwnedFd) -> i32 {
    let outcome = launch(folder, record, output, pid_pipe);
    let code = i32::from(outcome.is_err());
    let answer = match outcome {
        Ok(started) => Reply::Started(started),
        Err(LaunchError::Rejected(reason)) => Reply::Rejected(reason),
        Err(LaunchError::Failed(reason)) => Reply::Failed(reason),
    };
    message::reply(agent, &answer);
    code
}

fn launch(folder: &Folder, record: &Record, output: &[OwnedFd; 2], pid_pipe: &OwnedFd) -> Result<Started, LaunchError> {
    check_mount_sources(record)?;
    let root_fd = root::mount(folder, record).map_err(failed("mount the root file system"))?;
    let accounts = root::accounts(root_fd.as_fd());
    let paths =
        HostPaths { root: &folder.root(), hosts: &folder.hosts(), hostname: &folder.hostname(), resolv_conf: &folder.resolv_conf() };
    let mut spec = spec::build(record, paths, &accounts)?;
    let credentials = Credentials::take_from(&mut spec, &record.config.spec.container, &record.layout)?;
    root::ensure_dir(root_fd.as_fd(), &credentials.dir)
        .map_err(|error| LaunchError::Rejected(format!("cannot use `{}` as the working directory: {error}", credentials.dir)))?;
    drop(root_fd);
    spec.save(folder.stage().join("config.json")).map_err(failed("write the container's spec"))?;
    let (status_reader, status_writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    let init = Init::new(credentials, record.config.spec.container.init, Rc::new(status_writer));
    let mut container = create(folder, record, output, init)?;
    let started = announce(&container, folder, pid_pipe)?;
    container.start().map_err(|error| {
        started.init.signal(libc::SIGKILL);
        LaunchError::Failed(explain(&error))
    })?;
    drop(container);
    match StartFailure::read(status_reader) {
        None => Ok(started),
        Some(failure) => Err(LaunchError::Rejected(failure.0)),
    }
}

/// A bind mount whose source is missing would be reported by libcontainer without its name.
fn check_mount_sources(record: &Record) -> Result<(), LaunchError> {
    for mount in &record.config.spec.container.mounts {
        match &mount.kind {
            MountKind::Bind { source } if !Path::new(source).exists() => {
                return Err(LaunchError::Rejected(format!("invalid mount: the bind source path does not exist: {source}")));
            }
            MountKind::Bind { .. } | MountKind::Tmpfs { .. } => {}
        }
    }
    Ok(())
}

fn create(folder: &Folder, record: &Record, output: &[OwnedFd; 2], init: Init) -> Result<Container, LaunchError> {
    let copy = |fd: &OwnedFd| fd.try_clone().map_err(failed("copy a descriptor"));
    let null = File::open("/dev/null").map_err(failed("open /dev/null"))?;
    // A short name and a relative place: both end up in the path of a socket, which may have 107 characters.
    ContainerBuilder::new("c".to_owned(), SyscallType::default())
        .with_root_path(folder.stage())
        .and_then(|builder| {
            builder
                .with_executor(init)
                .with_stdin(OwnedFd::from(null))
                .with_stdout(copy(&output[0]).map_err(|error| libcontainer::error::LibcontainerError::Other(error.to_string()))?)
                .with_stderr(copy(&output[1]).map_err(|error| libcontainer::error::LibcontainerError::Other(error.to_string()))?)
                .as_init(folder.stage())
                .with_systemd(false)
                .as_sibling(true)
                .with_detach(true)
                .build()
        })
        .map_err(|error| LaunchError::Failed(format!("cannot create the container {}: {}", record.config.name, explain(&error))))
}

/// Writes the state and tells the keeper: from here on the container exists.
fn announce(container: &Container, folder: &Folder, pid_pipe: &OwnedFd) -> Result<Started, LaunchError> {
    let pid = container.pid().ok_or_else(|| LaunchError::Failed("libcontainer told no PID".to_owned()))?.as_raw();
    let told = pid_pipe.try_clone().and_then(|pipe| File::from(pipe).write_all(&pid.to_ne_bytes()));
    told.map_err(failed("reach the keeper"))?;
    let identify = |pid| ProcessId::of(pid).map_err(failed("find the container's process"));
    let keeper = identify(nix::unistd::getppid().as_raw())?;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let started = Started { keeper, init: identify(pid)?, at: u64::try_from(at).unwrap_or(u64::MAX) };
    record::save(&folder.state(), &started, false).map_err(failed("write the container's state"))?;
    Ok(started)
}

/// The whole chain of causes: libcontainer's outermost errors say little.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

impl StartFailure {
    /// Waits until the program was executed (the pipe closes by itself) or could not be.
    fn read(pipe: OwnedFd) -> Option<Self> {
        let mut text = String::new();
        let read: io::Result<usize> = File::from(pipe).read_to_string(&mut text);
        match read {
            Ok(0) => None,
            Ok(_) => Some(Self(text)),
            Err(error) => Some(Self(format!("the start was not confirmed: {error}"))),
        }
    }
}
