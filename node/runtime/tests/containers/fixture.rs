//! A runtime in a temporary directory, an image made of the host's static busybox, and short ways to run containers in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cluster_runtime::spec::ImageSettings;
use cluster_runtime::{
    ContainerConfig, ContainerEvent, EmbeddedConfig, EmbeddedRuntime, ImageHold, ImageSource, LocalImage, LogLimits, LogLine, LogOptions,
    LogStream, ProbeOutcome, Runtime, RuntimeError, ShimCommand,
};
use cluster_types::{Check, ContainerPhase, ContainerSpec, NetworkMode, Observed, ServiceId, TaskAddress, TaskId, TaskSpec};
use futures::StreamExt as _;
use tempfile::TempDir;
use tokio::time::timeout;

/// Longest wait for something that must come; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Images by name: `busybox`, and none else.
struct Images(PathBuf);

#[async_trait]
impl ImageSource for Images {
    async fn ensure(&self, reference: &str) -> Result<LocalImage, RuntimeError> {
        if reference != "busybox" {
            return Err(RuntimeError::Image { image: reference.to_owned(), reason: "there is no such image".to_owned() });
        }
        let settings = ImageSettings { cmd: vec!["sh".to_owned()], env: vec!["FROM_IMAGE=yes".to_owned()], ..ImageSettings::default() };
        Ok(LocalImage { id: "busybox".to_owned(), settings, layers: vec![self.0.clone()] })
    }

    fn hold(&self, _: &str) -> Option<ImageHold> {
        Some(Box::new(()))
    }
}

/// A runtime of its own for one test.
pub(crate) struct Host {
    pub(crate) dir: TempDir,
    pub(crate) config: EmbeddedConfig,
    /// What the managers gave each task that is prepared from now on.
    pub(crate) addresses: Vec<TaskAddress>,
    /// None while no agent runs.
    pub(crate) agent: Option<EmbeddedRuntime>,
}

static HOSTS: AtomicU32 = AtomicU32::new(0);
static TASKS: AtomicU32 = AtomicU32::new(1);

/// A short and unique name for what is global to the machine.
fn tag() -> String {
    format!("t{}x{}", std::process::id(), HOSTS.fetch_add(1, Ordering::Relaxed))
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut EmbeddedConfig)) -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests run real containers: run them as root");
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        make_image(&image);
        let mut config = EmbeddedConfig {
            data_dir: dir.path().join("data"),
            tag: tag(),
            images: Arc::new(Images(image)),
            network: None,
            shim: ShimCommand { program: env!("CARGO_BIN_EXE_cluster-shim").into(), args: Vec::new() },
            log: LogLimits::default(),
        };
        change(&mut config);
        let runtime = EmbeddedRuntime::open(config.clone()).await.unwrap();
        Self { dir, config, addresses: Vec::new(), agent: Some(runtime) }
    }

    pub(crate) fn runtime(&self) -> &EmbeddedRuntime {
        self.agent.as_ref().expect("the agent runs")
    }

    /// Prepares a container that runs a shell script.
    pub(crate) async fn prepare(&self, script: &str, change: impl FnOnce(&mut TaskSpec)) -> TaskId {
        let config = self.config_of(script, change);
        self.runtime().prepare(&config).await.unwrap();
        config.task
    }

    /// A new container that runs a shell script.
    pub(crate) fn config_of(&self, script: &str, change: impl FnOnce(&mut TaskSpec)) -> ContainerConfig {
        let container = ContainerSpec {
            image: "busybox".to_owned(),
            args: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
            stop_grace: Duration::from_secs(20),
            ..ContainerSpec::default()
        };
        let mut spec = TaskSpec { container, network: NetworkMode::None, ..TaskSpec::default() };
        change(&mut spec);
        let number = TASKS.fetch_add(1, Ordering::Relaxed);
        // The high bits make short ids differ, as those of real ids do.
        let task = TaskId::from_bits((u128::from(number) << 96) | u128::from(number));
        ContainerConfig {
            task,
            service: ServiceId::from_bits(1),
            name: format!("web.{number}"),
            spec: Arc::new(spec),
            ports: vec![],
            addresses: self.addresses.clone(),
            generic: Default::default(),
        }
    }

    /// Prepares and starts it.
    pub(crate) async fn start(&self, script: &str, change: impl FnOnce(&mut TaskSpec)) -> TaskId {
        let task = self.prepare(script, change).await;
        self.runtime().start(task).await.unwrap();
        task
    }

    /// Runs a script to its end; what it wrote to stdout and how it ended.
    pub(crate) async fn run(&self, script: &str, change: impl FnOnce(&mut TaskSpec)) -> (String, Observed) {
        let task = self.start(script, change).await;
        let ended = self.ended(task).await;
        let text = self.output(task).await;
        self.runtime().remove(task).await.unwrap();
        (text, ended)
    }

    pub(crate) async fn ended(&self, task: TaskId) -> Observed {
        self.until(task, |observed| observed.phase == ContainerPhase::Exited).await
    }

    pub(crate) async fn until(&self, task: TaskId, reached: impl Fn(&Observed) -> bool) -> Observed {
        let mut events = self.runtime().events();
        let wait = async {
            loop {
                let observed = self.runtime().observe(task).await.unwrap();
                if reached(&observed) {
                    return observed;
                }
                let _ = events.recv().await;
            }
        };
        timeout(PATIENCE, wait).await.expect("the container did not get there")
    }

    pub(crate) async fn lines(&self, task: TaskId, options: LogOptions) -> Vec<LogLine> {
        let stream = self.runtime().logs(task, options).await.unwrap();
        timeout(PATIENCE, stream.map(Result::unwrap).collect()).await.expect("the log did not end")
    }

    /// What it wrote to stdout and stderr.
    pub(crate) async fn output(&self, task: TaskId) -> String {
        let lines = self.lines(task, LogOptions::default()).await;
        lines.iter().map(|line| format!("{}\n", String::from_utf8_lossy(&line.text))).collect()
    }

    /// Waits for a line of a running container.
    pub(crate) async fn line(&self, task: TaskId, wanted: &str) {
        let mut stream = self.runtime().logs(task, LogOptions { follow: true, ..LogOptions::default() }).await.unwrap();
        let wait = async {
            while let Some(line) = stream.next().await {
                if line.unwrap().text == wanted.as_bytes() {
                    return;
                }
            }
            panic!("the log ended without `{wanted}`");
        };
        timeout(PATIENCE, wait).await.expect("the line did not come");
    }
}

impl Host {
    /// PID of a container's keeper.
    pub(crate) fn keeper(&self, task: TaskId) -> i32 {
        let file = self.config.data_dir.join("containers").join(task.to_string()).join("state.json");
        let state: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        i32::try_from(state["keeper"]["pid"].as_i64().unwrap()).unwrap()
    }

    /// Processes in the control groups of this host's containers.
    pub(crate) fn processes_in_groups(&self) -> usize {
        let count = |dir: PathBuf| std::fs::read_to_string(dir.join("cgroup.procs")).map_or(0, |text| text.lines().count());
        self.groups().into_iter().flat_map(|group| std::fs::read_dir(group).unwrap().flatten()).map(|entry| count(entry.path())).sum()
    }

    /// The parents of this host's control groups.
    fn groups(&self) -> Vec<PathBuf> {
        let name = format!("cluster-{}", self.config.tag);
        let roots = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
        roots.chain([PathBuf::from("/sys/fs/cgroup")]).map(|root| root.join(&name)).filter(|group| group.exists()).collect()
    }

    /// Nothing of any container is left on the machine.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.groups(), Vec::<PathBuf>::new(), "control groups are left");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let dir = self.dir.path().to_str().unwrap();
        assert!(!mounts.contains(dir), "mounts are left: {mounts}");
        assert_eq!(std::fs::read_dir(self.config.data_dir.join("containers")).unwrap().count(), 0);
    }
}

/// A test that failed leaves no container running.
impl Drop for Host {
    fn drop(&mut self) {
        let children = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        for group in self.groups().iter().flat_map(|parent| children(parent)) {
            let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in processes.lines().filter_map(|line| line.parse().ok()) {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
            }
        }
    }
}

/// Runs every container without a network: the suite says nothing of one.
pub(crate) struct WithoutNetwork(pub(crate) EmbeddedRuntime);

#[async_trait]
impl Runtime for WithoutNetwork {
    async fn prepare(&self, config: &ContainerConfig) -> Result<(), RuntimeError> {
        let spec = TaskSpec { network: NetworkMode::None, ..config.spec.as_ref().clone() };
        self.0.prepare(&ContainerConfig { spec: Arc::new(spec), ..config.clone() }).await
    }
    async fn start(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.0.start(task).await
    }
    async fn stop(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.0.stop(task).await
    }
    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.0.remove(task).await
    }
    async fn probe(&self, task: TaskId, check: Check) -> Result<ProbeOutcome, RuntimeError> {
        self.0.probe(task, check).await
    }
    async fn observe(&self, task: TaskId) -> Result<Observed, RuntimeError> {
        self.0.observe(task).await
    }
    async fn list(&self) -> Result<Vec<TaskId>, RuntimeError> {
        self.0.list().await
    }
    fn events(&self) -> tokio::sync::broadcast::Receiver<ContainerEvent> {
        self.0.events()
    }
    async fn logs(&self, task: TaskId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        self.0.logs(task, options).await
    }
}

/// A root file system with busybox, two users and a group.
fn make_image(root: &Path) {
    for dir in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("install busybox-static");
    let names = "sh cat sleep id ls echo mount touch dd head grep hostname env pwd kill stat wc tr sort true cut httpd";
    for name in names.split(' ') {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1001:Shop:/home/shop:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nshop:x:1001:\naudio:x:29:shop\nvideo:x:44:\n").unwrap();
}
