//! Networks over the control API, and what nodes and services say of them.

use cluster_api::pb::agent_message::Item as Up;
use cluster_api::status::{ApiError, code};
use cluster_api::{Kind, pb};
use cluster_types::{DEFAULT_NETWORK, NetworkPool, Subnet};

use crate::agent::Agent;
use crate::testbed::{Bed, spec};

impl Bed {
    async fn create_network(&self, name: &str, subnet: &str, request_id: &str) -> Result<pb::Network, ApiError> {
        let spec = pb::NetworkSpec { name: name.into(), subnet: subnet.into(), ..Default::default() };
        let request = pb::CreateNetworkRequest { spec: Some(spec), request_id: request_id.into() };
        Ok(self.control.clone().create_network(request).await?.into_inner().network.unwrap())
    }

    async fn remove_network(&self, reference: &str) -> Result<String, ApiError> {
        let request = pb::RemoveNetworkRequest { reference: reference.into(), ..Default::default() };
        Ok(self.control.clone().remove_network(request).await?.into_inner().id)
    }

    async fn networks(&self, reference: &str) -> Vec<pb::Network> {
        let request = pb::ListNetworksRequest { reference: reference.into(), ..Default::default() };
        self.control.clone().list_networks(request).await.unwrap().into_inner().networks
    }
}

fn in_network(name: &str, replicas: u64, network: &str) -> pb::ServiceSpec {
    let mut spec = spec(name, replicas);
    spec.task.as_mut().unwrap().networks = vec![pb::NetworkAttachment { network: network.into(), aliases: Vec::new() }];
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_begins_with_a_pool_and_a_default_network() {
    let bed = Bed::new().await;
    let cluster = bed.control.clone().get_cluster(pb::GetClusterRequest {}).await.unwrap().into_inner();
    assert_eq!(NetworkPool::try_from(cluster.network.unwrap()), Ok(NetworkPool::standard()));
    let [default] = bed.networks("").await.try_into().unwrap();
    assert_eq!((default.id, default.subnet.as_str()), (DEFAULT_NETWORK.to_string(), "10.196.0.0/14"));
    let error = bed.remove_network("default").await.unwrap_err();
    assert_eq!(error.kind, Kind::Precondition, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_made_once_each_with_a_subnet_of_its_own() {
    let bed = Bed::new().await;
    let made = bed.create_network("back", "", "key").await.unwrap();
    let again = bed.create_network("back", "", "key").await.unwrap();
    assert_eq!((&again.id, &again.subnet), (&made.id, &made.subnet));
    let error = bed.create_network("back", "", "another").await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (Kind::Conflict, code::NAME_TAKEN));

    let together = (0..6).map(|number| {
        let (name, bed) = (format!("n{number}"), &bed);
        async move { bed.create_network(&name, "", "").await.unwrap() }
    });
    futures::future::join_all(together).await;
    let networks = bed.networks("").await;
    assert_eq!(networks.len(), 8);
    let subnets: Vec<Subnet> = networks.iter().map(|network| network.subnet.parse().unwrap()).collect();
    for (place, subnet) in subnets.iter().enumerate() {
        assert!(NetworkPool::standard().pool.covers(*subnet), "{subnet}");
        assert!(!subnets[..place].iter().any(|other| other.overlaps(*subnet)), "{subnets:?}");
    }
    assert_eq!(bed.networks(&made.id[..10]).await[0].id, made.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_network_is_refused_with_the_field() {
    let bed = Bed::new().await;
    let field = |error: ApiError| (error.kind, error.fields[0].field.clone());
    let name = bed.create_network("Not A Name", "", "").await.unwrap_err();
    assert_eq!(field(name), (Kind::Invalid, "spec.name".to_owned()));
    for subnet in ["10.0.0.1/20", "10.196.0.0/20", "127.0.0.0/24"] {
        let error = bed.create_network("back", subnet, "").await.unwrap_err();
        assert_eq!(field(error), (Kind::Invalid, "spec.subnet".to_owned()), "{subnet}");
    }
    let made = bed.create_network("back", "192.168.64.0/24", "").await.unwrap();
    assert_eq!(made.subnet, "192.168.64.0/24");

    let nowhere = in_network("web", 1, &"7".repeat(25));
    let request = pb::CreateServiceRequest { spec: Some(nowhere), ..Default::default() };
    let error = ApiError::from(bed.control.clone().create_service(request).await.unwrap_err());
    assert!(error.fields[0].field.starts_with("spec.task.networks[0]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_removed_when_nothing_uses_it() {
    let bed = Bed::new().await;
    let credentials = bed.join("w1").await;
    let _agent = Agent::start("w1", "n", bed.channel(&credentials));
    let network = bed.create_network("back", "", "").await.unwrap();
    let request = pb::CreateServiceRequest { spec: Some(in_network("web", 2, &network.id)), ..Default::default() };
    bed.control.clone().create_service(request).await.unwrap();
    bed.until_running("web", 2).await;

    let [shown] = bed.networks("back").await.try_into().unwrap();
    assert_eq!((shown.services, shown.used), (vec!["web".to_owned()], 3), "two tasks and the service");
    let owned: Vec<_> = shown.blocks.iter().map(|block| (block.node_hostname.as_str(), block.used)).collect();
    assert!(owned.contains(&("w1", 2)) && owned.contains(&("", 1)), "{owned:?}");
    let endpoint = bed.service("web").await.endpoint.unwrap();
    assert_eq!(endpoint.vips[0].network, network.id);
    for task in bed.tasks("web").await {
        assert_eq!(task.addresses.iter().map(|has| &has.network).collect::<Vec<_>>(), [&network.id]);
    }

    let error = bed.remove_network("back").await.unwrap_err();
    assert!(error.kind == Kind::Precondition && error.message.contains("web"), "{error}");
    let request = pb::RemoveServiceRequest { reference: "web".into(), ..Default::default() };
    bed.control.clone().remove_service(request).await.unwrap();
    bed.until("the network can be removed", async || bed.remove_network("back").await.is_ok()).await;
    assert_eq!(bed.networks("").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_says_of_its_data_path_is_shown_where_it_matters() {
    let bed = Bed::new().await;
    let credentials = bed.join("w1").await;
    let agent = Agent::start("w1", "n", bed.channel(&credentials));
    let mut web = spec("web", 1);
    web.ports = vec![pb::PublishedPort { target: 80, published: 8080, ..Default::default() }];
    let request = pb::CreateServiceRequest { spec: Some(web), ..Default::default() };
    bed.control.clone().create_service(request).await.unwrap();
    bed.until_running("web", 1).await;
    assert!(bed.service("web").await.port_conflicts.is_empty());

    let conflicts = vec![pb::PublishedPort { published: 8080, ..Default::default() }];
    let network = pb::NodeNetwork { conflicts, trouble: Some("x".repeat(10_000)), ..Default::default() };
    agent.say(Up::Network(network.clone())).await;
    bed.until("the conflict is known", async || !bed.service("web").await.port_conflicts.is_empty()).await;
    let words = bed.service("web").await.port_conflicts;
    assert_eq!(words, ["port 8080/tcp is not open on w1: another program has it"]);
    assert_eq!(bed.node("w1").await.network.unwrap().trouble.unwrap().len(), cluster_types::limits::ERROR_BYTES);

    // The same again is no news; then all is well.
    let before = bed.node("w1").await.meta.unwrap().version;
    agent.say(Up::Network(network)).await;
    agent.say(Up::Network(pb::NodeNetwork::default())).await;
    bed.until("the conflict is over", async || bed.service("web").await.port_conflicts.is_empty()).await;
    let node = bed.node("w1").await;
    assert!(node.meta.unwrap().version > before && node.network.unwrap().trouble.is_none());
}
