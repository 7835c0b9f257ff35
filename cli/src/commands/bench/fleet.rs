//! Fake nodes that join a cluster as real ones do: a key, a certificate and a session each; and how they leave again.

use std::sync::Arc;
use std::time::Duration;

use cluster_agent::FakeFleet;
use cluster_agent::bench::FleetNode;
use cluster_api::pb::ca_client::CaClient;
use cluster_api::{Credentials, pb, tls};
use cluster_types::JoinToken;
use futures::{StreamExt, TryStreamExt};

use super::failed;
use crate::client::{Client, answer, request_id};
use crate::failure::Failure;

/// Requests on their way at the same time.
const AT_ONCE: usize = 32;
/// How long all sessions may take to open.
const PATIENCE: Duration = Duration::from_secs(120);

/// The fake nodes of a cluster.
pub(super) struct Fleet {
    client: Client,
    ids: Vec<String>,
    pub(super) agents: FakeFleet,
}

impl Fleet {
    /// Joins that many nodes and labels them `bench=LABEL`.
    pub(super) async fn join(client: &Client, count: usize, label: &str) -> Result<Self, Failure> {
        let request = pb::GetJoinTokenRequest { role: pb::Role::WorkerNode.into(), rotate: false };
        let found = answer(client.control().get_join_token(request)).await?;
        let token: JoinToken = found.token.parse().map_err(failed)?;
        let manager = found.addresses.first().ok_or_else(|| failed("the cluster names no manager's address"))?;
        let channel = tls::connect_pinned(manager, token.ca_digest).map_err(failed)?;
        let issue = |number| issue(CaClient::new(channel.clone()), found.token.clone(), number);
        let nodes: Vec<FleetNode> = futures::stream::iter(0..count).map(issue).buffer_unordered(AT_ONCE).try_collect().await?;
        let ids: Vec<String> = nodes.iter().map(|node| node.node.to_string()).collect();
        let agents = FakeFleet::start(nodes, found.addresses.clone()).await.map_err(failed)?;
        let fleet = Self { client: client.clone(), ids, agents };
        match fleet.settle(label).await {
            Ok(()) => Ok(fleet),
            Err(failure) => {
                fleet.leave().await?;
                Err(failure)
            }
        }
    }

    async fn settle(&self, label: &str) -> Result<(), Failure> {
        self.agents.connected(PATIENCE).await.map_err(failed)?;
        let set = |id: &String| {
            let labels_set = [("bench".to_owned(), label.to_owned())].into();
            let request = pb::UpdateNodeRequest { reference: id.clone(), labels_set, request_id: request_id(), ..Default::default() };
            let client = self.client.clone();
            async move { answer(client.control().update_node(request)).await.map(|_| ()) }
        };
        futures::stream::iter(&self.ids).map(set).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Ends the agents and takes their nodes out of the cluster.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        self.agents.shutdown().await;
        let client = &self.client;
        let remove = |id: &String| {
            let request = pb::RemoveNodeRequest { reference: id.clone(), force: true, request_id: request_id() };
            async move { answer(client.control().remove_node(request)).await.map(|_| ()) }
        };
        futures::stream::iter(&self.ids).map(remove).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// A certificate for a new node.
async fn issue(mut ca: CaClient<tonic::transport::Channel>, token: String, number: usize) -> Result<FleetNode, Failure> {
    let (key, csr_pem) = cluster_manager::ca::key_and_request().map_err(failed)?;
    let description = pb::NodeDescription {
        hostname: format!("fake-{number}"),
        os: "linux".to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        capacity: Some(pb::Reservation { nano_cpus: 64_000_000_000, memory: 256 << 30 }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // The agent says it in its session.
        data_address: String::new(),
        generic: std::collections::HashMap::new(),
    };
    // Nobody dials a worker; each needs an address of its own all the same.
    let advertise_address = format!("127.66.{}.{}:4740", number / 250, number % 250 + 1);
    let request = pb::IssueRequest { token, csr_pem, description: Some(description), advertise_address };
    let issued = answer(ca.issue(request)).await?;
    let credentials = Credentials::from_pem(&issued.certificate_pem, &key, &issued.root_pem).map_err(failed)?;
    Ok(FleetNode { node: issued.node_id.parse().map_err(failed)?, dial: Arc::new(credentials) })
}
