//! Keeps the name service of this host's containers running. A program that has its port is waited out, and said in the node's report: a
//! daemon without names still runs containers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use cluster_network::HostNetwork;
use cluster_network::names::{NameServer, PORT, RESOLVER, Upstreams};
use cluster_types::{NetworkId, ViewItems};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Pause before it is tried again to take the port.
const RETRY: Duration = Duration::from_secs(3);

/// The name service, running or about to. It ends when this is dropped.
pub(crate) struct Names {
    trouble: watch::Receiver<Option<String>>,
    _keeper: AbortOnDropHandle<()>,
}

impl Names {
    /// Starts it over a network that knows who asks.
    pub(crate) fn start(network: HostNetwork) -> Self {
        let (said, trouble) = watch::channel(None);
        Self { trouble, _keeper: AbortOnDropHandle::new(tokio::spawn(keep(network, said))) }
    }

    /// Why it does not answer; none while it does.
    pub(crate) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }
}

async fn keep(network: HostNetwork, said: watch::Sender<Option<String>>) {
    let lookup = move |asker| who(&network, asker);
    let _server = loop {
        match NameServer::serve(RESOLVER, PORT, lookup.clone(), Upstreams::of_host()).await {
            Ok(server) => break server,
            Err(error) => {
                let text = format!("containers cannot ask for names: {error}");
                if said.borrow().as_ref() != Some(&text) {
                    tracing::error!(%error, "the name service cannot answer; trying again");
                }
                said.send_replace(Some(text));
            }
        }
        tokio::time::sleep(RETRY).await;
    };
    said.send_replace(None);
    std::future::pending().await
}

/// The networks of the container with an address, and what is known in them.
fn who(network: &HostNetwork, address: Ipv4Addr) -> Option<(Vec<NetworkId>, Arc<ViewItems>)> {
    network.asker(address).map(|asker| (asker.networks, network.view()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use cluster_network::NetworkConfig;
    use tokio::net::UdpSocket;

    use super::*;

    /// Set in the process that runs inside a network namespace of its own.
    const INSIDE: &str = "CLUSTER_TEST_INSIDE";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_port_that_another_program_has_is_told_and_waited_for() {
        if std::env::var_os(INSIDE).is_some() {
            return wait_for_the_port().await;
        }
        let mut inside = Command::new("unshare");
        inside.args(["--net", "--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
        inside.args(["--exact", "names::tests::a_port_that_another_program_has_is_told_and_waited_for", "--nocapture"]);
        let output = tokio::task::spawn_blocking(move || inside.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }

    async fn wait_for_the_port() {
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        let dir = tempfile::tempdir().unwrap();
        let config = NetworkConfig { tag: "nm".to_owned(), dir: dir.path().to_owned() };
        let network = HostNetwork::open(config).await.unwrap();
        let other = UdpSocket::bind((RESOLVER, PORT)).await.unwrap();
        let names = Names::start(network.clone());
        let mut trouble = names.trouble();
        let said = trouble.wait_for(Option::is_some).await.unwrap().clone();
        assert!(said.unwrap().starts_with("containers cannot ask for names"));
        drop(other);
        trouble.wait_for(Option::is_none).await.unwrap();
        assert!(UdpSocket::bind((RESOLVER, PORT)).await.is_err(), "nobody has the port");
        drop(names);
        network.close().await;
    }
}
