//! One container as the agent knows it.

use std::sync::{Arc, Mutex, PoisonError};

use cluster_types::{ContainerPhase, ContainerStatus, Observed, PortBinding, Timestamp};
use tokio::sync::watch;

use super::config::ImageHold;
use crate::record::{Exit, Folder, Record, Started};

/// A container that was prepared, now or by an earlier agent.
pub(super) struct Container {
    pub(super) folder: Folder,
    pub(super) record: Record,
    /// The current observation; the receivers of the channel are those who wait for the end.
    observed: watch::Sender<Observed>,
    life: Mutex<Life>,
    /// Held by the probe that runs.
    pub(super) probing: tokio::sync::Mutex<()>,
    /// The image stays while the container is there.
    _image: Option<ImageHold>,
}

#[derive(Debug, Default)]
struct Life {
    started: Option<Started>,
    start_error: Option<String>,
    stopping: bool,
}

impl Container {
    /// A container that is prepared and not started.
    pub(super) fn prepared(folder: Folder, record: Record, image: Option<ImageHold>) -> Self {
        let container = ContainerStatus {
            address: record.address.clone(),
            ports: record.ports.iter().map(|port| PortBinding { port: *port }).collect(),
            ..ContainerStatus::default()
        };
        let checks = Arc::new(record.checks.clone());
        let observed = Observed { phase: ContainerPhase::Prepared, container, checks, ..Observed::default() };
        let (observed, life, probing) = (watch::channel(observed).0, Mutex::default(), tokio::sync::Mutex::default());
        Self { folder, record, observed, life, probing, _image: image }
    }

    pub(super) fn observed(&self) -> Observed {
        self.observed.borrow().clone()
    }

    pub(super) fn phase(&self) -> ContainerPhase {
        self.observed.borrow().phase
    }

    pub(super) fn started(&self) -> Option<Started> {
        self.life().started.clone()
    }

    /// It runs; the keeper may be another one than before.
    pub(super) fn set_running(&self, started: &Started) {
        self.life().started = Some(started.clone());
        self.observed.send_modify(|observed| {
            observed.phase = ContainerPhase::Running;
            observed.container.pid = u32::try_from(started.init.pid).ok();
            observed.at = Timestamp(started.at);
        });
    }

    /// It ended.
    pub(super) fn set_exited(&self, exit: &Exit) {
        let start_error = self.life().start_error.clone();
        let oom = exit.oom.then(|| "OOMKilled: the container reached its memory limit".to_owned());
        self.observed.send_modify(|observed| {
            observed.phase = ContainerPhase::Exited;
            observed.container.pid = None;
            observed.container.exit_code = Some(exit.code);
            observed.container.oom_killed = exit.oom;
            observed.at = Timestamp(exit.at);
            observed.error = start_error.or(oom).or_else(|| exit.error.clone());
        });
    }

    /// The program did not start; the error goes with whatever end is seen.
    pub(super) fn set_start_error(&self, reason: &str) {
        self.life().start_error = Some(reason.to_owned());
    }

    /// Says something of a container that is otherwise as it was.
    pub(super) fn set_error(&self, error: String) {
        self.observed.send_modify(|observed| observed.error = Some(error));
    }

    /// Whether this is the first call: only one stop runs at a time.
    pub(super) fn begin_stop(&self) -> bool {
        !std::mem::replace(&mut self.life().stopping, true)
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.observed.subscribe().wait_for(|observed| observed.phase == ContainerPhase::Exited).await;
    }

    fn life(&self) -> std::sync::MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
