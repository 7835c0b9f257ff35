//! Containers with addresses, on a host that is a network namespace made for the test.

use std::process::Command;

use cluster_network::{HostNetwork, NetworkConfig};
use cluster_runtime::{ContainerConfig, EmbeddedRuntime, Runtime as _, RuntimeError};
use cluster_types::{ContainerPhase, DEFAULT_NETWORK, NetworkMode, TaskAddress, TaskId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fixture::{Host, PATIENCE};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "CLUSTER_TEST_INSIDE";

/// Whether this process is the one inside; otherwise that one has run, and all was well there.
async fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        // A host has an address, from which it reaches its containers.
        for step in ["link set lo up", "address add 192.0.2.1/32 dev lo"] {
            assert!(Command::new("ip").args(step.split(' ')).status().unwrap().success());
        }
        return true;
    }
    let me = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--mount", "--propagation", "private"]).arg(me).env(INSIDE, "1");
    inside.args(["--exact", &format!("containers::network::{test}"), "--nocapture"]);
    let output = tokio::task::spawn_blocking(move || inside.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    false
}

/// A network of its own for a test.
async fn network(dir: &TempDir) -> HostNetwork {
    HostNetwork::open(NetworkConfig { tag: "rt".to_owned(), dir: dir.path().to_owned() }).await.unwrap()
}

fn address(last: u8) -> Vec<TaskAddress> {
    vec![TaskAddress { network: DEFAULT_NETWORK, address: [10, 196, 0, last].into() }]
}

async fn close(network: &HostNetwork, dir: &TempDir) {
    network.close().await;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(dir.path().to_str().unwrap()), "namespaces are left: {mounts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_reached_at_its_address() {
    if !inside("a_container_is_reached_at_its_address").await {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let network = network(&dir).await;
    let mut host = Host::with(|config| config.network = Some(network.clone())).await;
    host.addresses = address(5);
    let script = "grep web /etc/hosts | cut -f1; cat /etc/resolv.conf; cd /tmp; echo from the container > a.txt; exec httpd -f -p 8080";
    let task = host.start(script, |spec| spec.network = NetworkMode::Default).await;
    let address = host.runtime().observe(task).await.unwrap().container.address.unwrap();
    assert_eq!(address, "10.196.0.5");
    host.line(task, "10.196.0.5").await;
    host.line(task, "nameserver 169.254.1.53").await;
    let answer = async {
        loop {
            // It may not listen yet.
            if let Ok(mut stream) = TcpStream::connect((address.as_str(), 8080)).await {
                stream.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = timeout(PATIENCE, answer).await.expect("nobody answers");
    assert!(answer.ends_with("from the container\n"), "{answer}");
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
    close(&network, &dir).await;
}

/// The managers may give it away as soon as they hear of the end; the log stays until the container is removed.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_free_once_the_end_is_told() {
    if !inside("an_address_is_free_once_the_end_is_told").await {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let network = network(&dir).await;
    let mut host = Host::with(|config| config.network = Some(network.clone())).await;
    host.addresses = address(5);
    let attached = |spec: &mut cluster_types::TaskSpec| spec.network = NetworkMode::Default;
    let first = host.start("echo first; exit 3", attached).await;
    assert_eq!(host.ended(first).await.container.exit_code, Some(3));
    assert_eq!(network.asker([10, 196, 0, 5].into()), None);
    // A program that cannot be started has ended, too.
    let broken = host.prepare("true", |spec| (spec.network, spec.container.args) = (NetworkMode::Default, vec!["nope".to_owned()])).await;
    assert!(host.runtime().start(broken).await.is_err());
    assert_eq!(host.ended(broken).await.phase, ContainerPhase::Exited);
    assert_eq!(network.asker([10, 196, 0, 5].into()), None);
    let second = host.start("exec sleep 1000", attached).await;
    assert_eq!(network.asker([10, 196, 0, 5].into()).map(|asker| asker.task), Some(second));
    assert_eq!(host.output(first).await, "first\n");
    // It ends while no agent runs.
    host.agent = None;
    kill(&host, second).await;
    host.agent = Some(EmbeddedRuntime::open(host.config.clone()).await.unwrap());
    host.ended(second).await;
    assert_eq!(network.asker([10, 196, 0, 5].into()), None);
    for task in [first, broken, second] {
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
    close(&network, &dir).await;
}

/// Kills a container, and waits until its keeper has written how it ended.
async fn kill(host: &Host, task: TaskId) {
    let folder = host.config.data_dir.join("containers").join(task.to_string());
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).unwrap()).unwrap();
    let init = i32::try_from(state["init"]["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), nix::sys::signal::SIGKILL).unwrap();
    let written = async {
        while !folder.join("exit.json").exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, written).await.expect("the end is not recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_an_address_is_refused() {
    if !inside("a_task_without_an_address_is_refused").await {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let network = network(&dir).await;
    let host = Host::with(|config| config.network = Some(network.clone())).await;
    let config: ContainerConfig = host.config_of("true", |spec| spec.network = NetworkMode::Default);
    let error = host.runtime().prepare(&config).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Rejected(words) if words.contains("no address")), "{error}");
    host.assert_clean();
    close(&network, &dir).await;
}
