//! `bench start`: containers started a second and CPU time for each (performance.md P2, P3): the embedded runtime, then runc and crun on
//! the same root file system. Each container runs `busybox sleep`; the shim's CPU time counts, because it is in the machine's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use cluster_runtime::spec::ImageSettings;
use cluster_runtime::{
    ContainerConfig, EmbeddedConfig, EmbeddedRuntime, ImageHold, ImageSource, LocalImage, LogLimits, Runtime, RuntimeError, ShimCommand,
};
use cluster_types::{ContainerSpec, IdStream, NetworkMode, ServiceId, TaskId, TaskSpec};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::failed;
use super::meter::{Meter, line};
use super::start_reference::references;
use crate::failure::Failure;

/// Flags of `bench start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Containers
    #[arg(long, default_value_t = 100)]
    containers: u32,
    /// Containers that are started at the same time
    #[arg(long, default_value_t = 4)]
    parallel: usize,
    /// A static busybox
    #[arg(long, default_value = "/bin/busybox", value_name = "FILE")]
    busybox: PathBuf,
    /// Directory for the containers; removed at the end
    #[arg(long, default_value = "/var/tmp/cluster-bench", value_name = "DIR")]
    dir: PathBuf,
}

impl Start {
    /// Measures all runtimes one after the other.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        std::fs::create_dir(&self.dir).map_err(|error| failed(format!("{}: {error}", self.dir.display())))?;
        let measured = self.measure().await;
        std::fs::remove_dir_all(&self.dir).map_err(|error| failed(format!("{}: {error}", self.dir.display())))?;
        line("start", measured?)
    }

    async fn measure(&self) -> Result<Value, Failure> {
        let root = self.dir.join("rootfs");
        std::fs::create_dir_all(root.join("bin"))?;
        std::fs::copy(&self.busybox, root.join("bin/busybox")).map_err(|error| failed(format!("{}: {error}", self.busybox.display())))?;
        let mut figures = json!({ "containers": self.containers, "parallel": self.parallel, "embedded": self.embedded(&root).await? });
        for (program, figure) in references(&self.dir, self.containers, self.parallel)? {
            figures[program] = figure;
        }
        Ok(figures)
    }

    async fn embedded(&self, root: &Path) -> Result<Value, Failure> {
        let config = EmbeddedConfig {
            data_dir: self.dir.join("runtime"),
            tag: "bench".to_owned(),
            images: Arc::new(OneImage(root.to_owned())),
            network: None,
            shim: ShimCommand::default(),
            log: LogLimits::default(),
        };
        let runtime = Arc::new(EmbeddedRuntime::open(config).await.map_err(failed)?);
        let mut ids = IdStream::new(rand::random(), 0);
        let tasks: Vec<TaskId> = (0..self.containers).map(|_| ids.next_id()).collect();
        let busy = machine_cpu();
        let meter = Meter::start();
        let started: Result<Vec<()>, RuntimeError> =
            futures::stream::iter(&tasks).map(|task| start(&runtime, *task)).buffer_unordered(self.parallel).try_collect().await;
        let (reading, busy) = (meter.read(), machine_cpu() - busy);
        for task in &tasks {
            runtime.remove(*task).await.map_err(failed)?;
        }
        started.map_err(failed)?;
        Ok(figures(self.containers, reading.seconds, busy))
    }
}

async fn start(runtime: &EmbeddedRuntime, task: TaskId) -> Result<(), RuntimeError> {
    let container = ContainerSpec { image: "bench".to_owned(), ..ContainerSpec::default() };
    let spec = TaskSpec { container, network: NetworkMode::None, ..TaskSpec::default() };
    let service = ServiceId::from_bits(1);
    let config = ContainerConfig {
        task,
        service,
        name: "bench.1".to_owned(),
        spec: Arc::new(spec),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    };
    runtime.prepare(&config).await?;
    runtime.start(task).await
}

/// The figures of one runtime.
pub(super) fn figures(containers: u32, seconds: f64, cpu_seconds: f64) -> Value {
    let count = f64::from(containers);
    json!({ "seconds": seconds, "containers_per_second": (count / seconds).round(), "cpu_ms_each": cpu_seconds * 1e3 / count })
}

/// CPU time that the whole machine has spent, in seconds: children of children count too. Run it on a quiet machine.
pub(super) fn machine_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system; idle and iowait are no work; irq, softirq.
    [0, 1, 2, 5, 6].iter().filter_map(|field| fields.get(*field)).sum::<f64>() / 100.0
}

/// The root file system as an image.
struct OneImage(PathBuf);

#[tonic::async_trait]
impl ImageSource for OneImage {
    async fn ensure(&self, _: &str) -> Result<LocalImage, RuntimeError> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let settings = ImageSettings { entrypoint: words(&["/bin/busybox"]), cmd: words(&["sleep", "1000"]), ..ImageSettings::default() };
        Ok(LocalImage { id: "bench".to_owned(), settings, layers: vec![self.0.clone()] })
    }

    fn hold(&self, _: &str) -> Option<ImageHold> {
        Some(Box::new(()))
    }
}
