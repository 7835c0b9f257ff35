//! What happens when a process between the agent and its containers dies, or the host.

use std::time::Duration;

use cluster_runtime::{EmbeddedRuntime, LogOptions, Runtime};
use cluster_types::{ContainerPhase, Observed, TaskId};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::fixture::{Host, PATIENCE};

/// Counts, and ends with 3 when it is told to.
const COUNTS: &str = "trap 'exit 3' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done";

impl Host {
    /// As if the agent had been killed and started again: nothing of the old one is asked or told.
    async fn restart(&mut self) {
        self.agent = None;
        self.agent = Some(EmbeddedRuntime::open(self.config.clone()).await.unwrap());
    }
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}

/// The numbers of the log are without gaps.
fn assert_whole(text: &str) {
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_finds_the_same_processes() {
    let mut host = Host::new().await;
    let running = host.start(COUNTS, |_| {}).await;
    let prepared = host.prepare("echo later", |_| {}).await;
    let before = host.runtime().observe(running).await.unwrap();
    host.line(running, "3").await;
    host.restart().await;
    assert_eq!(host.runtime().observe(running).await.unwrap(), before);
    assert_eq!(host.runtime().observe(prepared).await.unwrap().phase, ContainerPhase::Prepared);
    host.line(running, "30").await;
    host.runtime().stop(running).await.unwrap();
    assert_eq!(host.ended(running).await.container.exit_code, Some(3));
    assert_whole(&host.output(running).await);
    host.runtime().start(prepared).await.unwrap();
    assert_eq!(host.ended(prepared).await.container.exit_code, Some(0));
    for task in [running, prepared] {
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_an_agent_is_read_later() {
    let mut host = Host::new().await;
    let task = host.start("read line; exit 4", |_| {}).await;
    let ended = host.ended(task).await;
    host.restart().await;
    assert_eq!(host.runtime().observe(task).await.unwrap(), ended);
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_keeper_is_replaced_and_no_line_is_lost() {
    let host = Host::new().await;
    let task = host.start(COUNTS, |_| {}).await;
    let pid = host.runtime().observe(task).await.unwrap().container.pid;
    host.line(task, "3").await;
    let keeper = host.keeper(task);
    kill(keeper);
    let mut follow = host.runtime().logs(task, LogOptions { follow: true, ..LogOptions::default() }).await.unwrap();
    let more = async { while follow.next().await.unwrap().unwrap().text != b"60" {} };
    timeout(PATIENCE, more).await.expect("the container writes no more");
    assert_ne!(host.keeper(task), keeper);
    assert_eq!(host.runtime().observe(task).await.unwrap().container.pid, pid);
    host.runtime().stop(task).await.unwrap();
    let ended = host.ended(task).await;
    assert_eq!(ended.container.exit_code, Some(255));
    assert!(ended.error.unwrap().contains("not known"));
    // One chunk that the dead keeper had taken may be lost; what it had not taken is not.
    let text = host.output(task).await;
    assert!(text.lines().count() >= 60, "{text}");
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn keeper_and_container_killed_while_no_agent_runs_is_an_unknown_end() {
    let mut host = Host::new().await;
    let task = host.start("exec sleep 1000", |_| {}).await;
    let observed = host.runtime().observe(task).await.unwrap();
    let keeper = host.keeper(task);
    host.agent = None;
    kill(keeper);
    kill(i32::try_from(observed.container.pid.unwrap()).unwrap());
    host.restart().await;
    assert_eq!(host.ended(task).await.container.exit_code, Some(255));
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_spawner_is_replaced() {
    let host = Host::new().await;
    let first = host.start("exec sleep 1000", |_| {}).await;
    let spawner = parent(host.keeper(first));
    kill(spawner);
    let second = host.start("exit 6", |_| {}).await;
    assert_eq!(host.ended(second).await.container.exit_code, Some(6));
    assert_eq!(host.runtime().observe(first).await.unwrap().phase, ContainerPhase::Running);
    for task in [first, second] {
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}

fn parent(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_everything_has_ended() {
    let mut host = Host::new().await;
    let started = host.start("exit 0", |_| {}).await;
    host.ended(started).await;
    let prepared = host.prepare("true", |_| {}).await;
    // A container of another boot: started, and nothing is known of its end.
    for task in [started, prepared] {
        let dir = host.config.data_dir.join("containers").join(task.to_string());
        let file = dir.join("container.json");
        let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        record["boot"] = "another".into();
        std::fs::write(file, record.to_string()).unwrap();
        let _ = std::fs::remove_file(dir.join("exit.json"));
    }
    host.restart().await;
    let Observed { phase, container, error, .. } = host.runtime().observe(started).await.unwrap();
    assert_eq!((phase, container.exit_code), (ContainerPhase::Exited, Some(255)));
    assert!(error.unwrap().contains("restarted"));
    assert_eq!(host.runtime().list().await.unwrap(), [started], "what was only prepared is gone");
    host.runtime().remove(started).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn debris_of_a_crash_is_cleared() {
    let mut host = Host::new().await;
    let task = host.start("exec sleep 1000", |_| {}).await;
    // The folder of a half-made container, and a group with a process that belongs to none.
    let half = host.config.data_dir.join("containers").join(TaskId::from_bits(77).to_string());
    std::fs::create_dir_all(half.join("upper")).unwrap();
    let lost = host.config.data_dir.join("containers").join(task.to_string());
    host.agent = None;
    kill(host.keeper(task));
    std::fs::remove_dir_all(&lost).unwrap();
    host.restart().await;
    assert_eq!(host.runtime().list().await.unwrap(), []);
    assert!(!half.exists());
    timeout(Duration::from_secs(20), async {
        while host.processes_in_groups() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    host.restart().await;
    host.assert_clean();
}
