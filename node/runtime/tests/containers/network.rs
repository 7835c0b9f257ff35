//! A container with an address of its own, on a host that is a network namespace made for the test.

use std::process::Command;

use cluster_network::{HostNetwork, NetworkConfig};
use cluster_runtime::Runtime as _;
use cluster_types::NetworkMode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fixture::{Host, PATIENCE};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "CLUSTER_TEST_INSIDE";

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_reached_at_its_address() {
    if std::env::var_os(INSIDE).is_some() {
        return reach().await;
    }
    let me = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--mount", "--propagation", "private"]).arg(me).env(INSIDE, "1");
    inside.args(["--exact", "containers::network::a_container_is_reached_at_its_address", "--nocapture"]);
    let output = tokio::task::spawn_blocking(move || inside.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

async fn reach() {
    let network_dir = tempfile::tempdir().unwrap();
    // A host has an address, from which it reaches its containers.
    for step in ["link set lo up", "address add 192.0.2.1/32 dev lo"] {
        assert!(Command::new("ip").args(step.split(' ')).status().unwrap().success());
    }
    let config = NetworkConfig { tag: "rt".to_owned(), subnet: "10.214.0.0/24".parse().unwrap(), dir: network_dir.path().to_owned() };
    let network = HostNetwork::open(config).await.unwrap();
    let host = Host::with(|config| config.network = Some(network.clone())).await;
    let script = "grep web /etc/hosts | cut -f1; cd /tmp; echo from the container > a.txt; exec httpd -f -p 8080";
    let task = host.start(script, |spec| spec.network = NetworkMode::Default).await;
    let address = host.runtime().observe(task).await.unwrap().container.address.unwrap();
    host.line(task, &address).await;
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
    network.close().await;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(network_dir.path().to_str().unwrap()), "namespaces are left: {mounts}");
}
