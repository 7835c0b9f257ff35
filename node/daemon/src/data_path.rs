//! The data path that the agent sees, over this host's container network and name service.

use cluster_agent::DataPath;
use cluster_network::HostNetwork;
use cluster_types::{NodeNetwork, Version, ViewItems};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::names::Names;

/// This host's data path.
pub(crate) struct HostDataPath {
    network: HostNetwork,
    report: watch::Receiver<NodeNetwork>,
    _names: Names,
    _reporting: AbortOnDropHandle<()>,
}

impl HostDataPath {
    /// Starts the name service over a network that is open, and to tell how both are.
    pub(crate) fn start(network: HostNetwork) -> Self {
        let names = Names::start(network.clone());
        let (told, report) = watch::channel(NodeNetwork::default());
        let reporting = AbortOnDropHandle::new(tokio::spawn(merge(network.report(), names.trouble(), told)));
        Self { network, report, _names: names, _reporting: reporting }
    }
}

#[tonic::async_trait]
impl DataPath for HostDataPath {
    async fn apply(&self, items: &ViewItems, version: Version) -> Result<(), String> {
        let (network, items) = (self.network.clone(), items.clone());
        // An agent that stops does not leave a view half applied.
        let applied = tokio::spawn(async move { network.apply(&items, version).await }).await;
        applied.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn report(&self) -> watch::Receiver<NodeNetwork> {
        self.report.clone()
    }
}

/// Tells how the network is, with what the name service lacks.
async fn merge(mut network: watch::Receiver<NodeNetwork>, mut names: watch::Receiver<Option<String>>, told: watch::Sender<NodeNetwork>) {
    loop {
        let mut now = network.borrow_and_update().clone();
        let troubles: Vec<String> = [now.trouble.take(), names.borrow_and_update().clone()].into_iter().flatten().collect();
        now.trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        told.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        tokio::select! {
            Ok(()) = network.changed() => {}
            Ok(()) = names.changed() => {}
            else => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_has_the_troubles_of_both() {
        let (network, network_said) = watch::channel(NodeNetwork { repairs: 1, ..NodeNetwork::default() });
        let (names, names_said) = watch::channel(None);
        let (told, mut report) = watch::channel(NodeNetwork::default());
        let merging = AbortOnDropHandle::new(tokio::spawn(merge(network_said, names_said, told)));
        assert_eq!(report.wait_for(|report| report.repairs == 1).await.unwrap().trouble, None);
        names.send_replace(Some("no names".to_owned()));
        assert!(report.wait_for(|report| report.trouble.as_deref() == Some("no names")).await.is_ok());
        network.send_modify(|report| report.trouble = Some("no way".to_owned()));
        assert!(report.wait_for(|report| report.trouble.as_deref() == Some("no way; no names")).await.is_ok());
        names.send_replace(None);
        assert!(report.wait_for(|report| report.trouble.as_deref() == Some("no way")).await.is_ok());
        drop((network, names));
        merging.await.unwrap();
    }
}
