//! The embedded runtime: real containers without another daemon.
//!
//! Here the agent's side: one object for each container, found again on disk after a restart, and the verbs of [`Runtime`]. Whatever must
//! outlive the agent, or must not happen in a process with threads, is in [`crate::shim`]. Nothing here polls: a keeper's end is an event
//! of its process descriptor.

mod adopt;
mod config;
mod container;
mod files;
mod images;
mod prepare;
mod probe;
mod release;
mod remove;
mod spawner;
mod start;
mod stop;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cluster_types::{Check, Observed, TaskId};
use tokio::sync::{OwnedMutexGuard, broadcast};

pub use config::{EmbeddedConfig, ImageHold, ImageSource, LocalImage, ShimCommand};

use crate::cgroup::Layout;
use crate::log::reader;
use crate::record::{Folder, Record, boot_id, private_dir};
use crate::{ContainerConfig, ContainerEvent, LogOptions, LogStream, ProbeOutcome, Runtime, RuntimeError};
use container::Container;
use spawner::Spawner;

/// Events that a reader may be behind before it is told that it lagged.
const EVENTS: usize = 4096;

/// Runs containers on this host. Clones share it.
#[derive(Clone)]
pub struct EmbeddedRuntime {
    shared: Arc<Shared>,
}

struct Shared {
    config: EmbeddedConfig,
    layout: Layout,
    boot: String,
    spawner: Spawner,
    containers: Mutex<BTreeMap<TaskId, Arc<Container>>>,
    /// One verb at a time for each container.
    verbs: Mutex<BTreeMap<TaskId, Arc<tokio::sync::Mutex<()>>>>,
    events: broadcast::Sender<ContainerEvent>,
}

impl EmbeddedRuntime {
    /// Opens the state below the data directory, takes over every container that an earlier agent left, and removes what nobody owns.
    ///
    /// # Errors
    /// Without root, without control groups, or when the state cannot be used.
    pub async fn open(config: EmbeddedConfig) -> Result<Self, RuntimeError> {
        if !rustix::process::geteuid().is_root() {
            return Err(RuntimeError::Failed("containers need root: run the daemon as root".to_owned()));
        }
        private_dir(&config.data_dir.join("containers")).map_err(failed("make the runtime's directory"))?;
        let layout = Layout::detect().map_err(failed("read /sys/fs/cgroup"))?;
        let boot = boot_id().map_err(failed("read the boot id"))?;
        let spawner = Spawner::new(&config.shim).map_err(failed("copy the shim's program"))?;
        let shared = Shared {
            config,
            layout,
            boot,
            spawner,
            containers: Mutex::default(),
            verbs: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
        };
        let runtime = Self { shared: Arc::new(shared) };
        adopt::adopt(&runtime.shared).await?;
        Ok(runtime)
    }

    /// The parent of this node's control groups, from the root of each hierarchy.
    pub(crate) fn cgroup_parent(&self) -> String {
        self.shared.cgroup_parent()
    }

    /// Where everything is kept.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.shared.config.data_dir
    }

    /// What a container without a network would be started from; nothing is prepared.
    pub(crate) async fn record_of(&self, config: &ContainerConfig) -> Result<Record, RuntimeError> {
        let image = self.shared.config.images.ensure(&config.spec.container.image).await?;
        Ok(prepare::record(&self.shared, config, image, None))
    }
}

/// Names what was being done when a step failed.
fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> RuntimeError {
    move |error| RuntimeError::Failed(format!("cannot {what}: {error}"))
}

impl Shared {
    fn folder(&self, task: TaskId) -> Folder {
        Folder(self.containers_dir().join(task.to_string()))
    }

    fn containers_dir(&self) -> PathBuf {
        self.config.data_dir.join("containers")
    }

    /// The parent of this node's control groups.
    fn cgroup_parent(&self) -> String {
        format!("/cluster-{}", self.config.tag)
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<TaskId, Arc<Container>>> {
        // Nothing panics while it holds the lock, so a poisoned map is a whole one.
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, task: TaskId) -> Result<Arc<Container>, RuntimeError> {
        self.map().get(&task).cloned().ok_or(RuntimeError::Missing(task))
    }

    async fn lock(&self, task: TaskId) -> OwnedMutexGuard<()> {
        let lock = self.verbs.lock().unwrap_or_else(PoisonError::into_inner).entry(task).or_default().clone();
        lock.lock_owned().await
    }

    fn tell(&self, task: TaskId) {
        // Nobody listening is fine.
        let _ = self.events.send(ContainerEvent { task });
    }
}

#[async_trait]
impl Runtime for EmbeddedRuntime {
    async fn prepare(&self, config: &ContainerConfig) -> Result<(), RuntimeError> {
        let _one = self.shared.lock(config.task).await;
        prepare::prepare(&self.shared, config).await
    }

    async fn start(&self, task: TaskId) -> Result<(), RuntimeError> {
        let _one = self.shared.lock(task).await;
        start::start(&self.shared, task).await
    }

    async fn stop(&self, task: TaskId) -> Result<(), RuntimeError> {
        let _one = self.shared.lock(task).await;
        stop::stop(&self.shared, task)
    }

    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError> {
        let one = self.shared.lock(task).await;
        remove::remove(&self.shared, task).await?;
        self.shared.verbs.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
        drop(one);
        Ok(())
    }

    async fn probe(&self, task: TaskId, check: Check) -> Result<ProbeOutcome, RuntimeError> {
        probe::probe(&self.shared, task, check).await
    }

    async fn observe(&self, task: TaskId) -> Result<Observed, RuntimeError> {
        Ok(self.shared.map().get(&task).map(|container| container.observed()).unwrap_or_default())
    }

    async fn list(&self) -> Result<Vec<TaskId>, RuntimeError> {
        Ok(self.shared.map().keys().copied().collect())
    }

    fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        self.shared.events.subscribe()
    }

    async fn logs(&self, task: TaskId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let container = self.shared.find(task)?;
        reader::read(&container.folder.0, container.folder.exit(), options)
    }
}
