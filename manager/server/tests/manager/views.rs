//! Network views: each node gets its own, before the assignments that need it; and a task is told to stop when no node leads to it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb;
use cluster_manager::{Clock, ManagerConfig, SystemClock};
use cluster_types::{Timestamp, ViewItem, ViewKey};

use crate::agent::Agent;
use crate::testbed::{Bed, spec};

/// A bed with two workers and their agents.
async fn two(bed: &Bed) -> [Agent; 2] {
    let (first, second) = (bed.join("w1").await, bed.join("w2").await);
    let agents = [Agent::start("w1", "n", bed.channel(&first)), Agent::start("w2", "n", bed.channel(&second))];
    bed.until_ready("w1").await;
    bed.until_ready("w2").await;
    agents
}

fn published(name: &str, replicas: u64) -> pb::ServiceSpec {
    let mut spec = spec(name, replicas);
    spec.ports = vec![pb::PublishedPort { target: 80, published: 8080, ..Default::default() }];
    spec
}

async fn create(bed: &Bed, spec: pb::ServiceSpec) {
    bed.control.clone().create_service(pb::CreateServiceRequest { spec: Some(spec), ..Default::default() }).await.unwrap();
}

async fn scale(bed: &Bed, spec: pb::ServiceSpec) {
    let request = pb::UpdateServiceRequest { reference: spec.name.clone(), spec: Some(spec), ..Default::default() };
    bed.control.clone().update_service(request).await.unwrap();
}

/// The addresses of the tasks that should run.
async fn addresses(bed: &Bed, service: &str) -> BTreeSet<Ipv4Addr> {
    let tasks = bed.tasks(service).await.into_iter().filter(|task| task.desired() == pb::DesiredState::DesiredRunning);
    tasks.flat_map(|task| task.addresses).map(|has| has.address.parse().unwrap()).collect()
}

fn endpoints(agent: &Agent, service: &str) -> BTreeSet<Ipv4Addr> {
    agent.told.lock().unwrap().endpoints(service).into_iter().collect()
}

/// How many tasks an agent was told to stop.
fn told_to_stop(agent: &Agent) -> usize {
    agent.told.lock().unwrap().stopped.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_is_shown_the_endpoints_before_its_own_tasks() {
    let bed = Bed::new().await;
    let agents = two(&bed).await;
    create(&bed, published("web", 4)).await;
    bed.until_running("web", 4).await;
    let wanted = addresses(&bed, "web").await;
    assert_eq!(wanted.len(), 4);
    for agent in &agents {
        bed.until("all endpoints are shown", async || endpoints(agent, "web") == wanted).await;
        let seen = agent.told.lock().unwrap();
        assert!(!seen.surprised, "an assignment came before its network");
        assert!(matches!(seen.view.get(&ViewKey::Own).map(|item| &**item), Some(ViewItem::Own(own)) if own.number > 0));
        assert!(seen.view.keys().any(|key| matches!(key, ViewKey::Peer(_))), "{:?}", seen.view.keys());
    }
    scale(&bed, published("web", 1)).await;
    bed.until("one is left", async || addresses(&bed, "web").await.len() == 1).await;
    let wanted = addresses(&bed, "web").await;
    for agent in &agents {
        bed.until("the others are gone", async || endpoints(agent, "web") == wanted).await;
    }
    let stopped = async || agents.iter().map(told_to_stop).sum::<usize>() == 3;
    bed.until("they are told to stop", stopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_shown_what_does_not_concern_it() {
    let bed = Bed::new().await;
    let [first, second] = two(&bed).await;
    let mut pinned = spec("web", 1);
    pinned.task.as_mut().unwrap().placement.as_mut().unwrap().constraints = vec!["node.hostname==w1".into()];
    create(&bed, pinned).await;
    bed.until_running("web", 1).await;
    bed.until("its own node sees it", async || endpoints(&first, "web").len() == 1).await;
    let seen = second.told.lock().unwrap();
    assert!(seen.views > 0 && !seen.view.keys().any(|key| matches!(key, ViewKey::Service(_) | ViewKey::Network(_))), "{:?}", seen.view);
}

/// Time stands still: no grace ends.
struct Still(SystemClock);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000)
    }

    fn reach(&self, _: Timestamp) {}

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}

/// A service with a task on each of two nodes, one of which does not acknowledge views; then one of the two tasks is no longer wanted, and
/// both nodes are shown that.
async fn draining(bed: &Bed) -> [Agent; 2] {
    let agents = two(bed).await;
    create(bed, published("web", 2)).await;
    bed.until_running("web", 2).await;
    agents[1].told.lock().unwrap().silent = true;
    scale(bed, published("web", 1)).await;
    for agent in &agents {
        bed.until("the task is out of the view", async || endpoints(agent, "web").len() == 1).await;
    }
    agents
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_told_to_stop_when_every_node_has_applied_that_it_goes() {
    let bed = Bed::with(ManagerConfig { clock: Arc::new(Still(SystemClock::default())), ..ManagerConfig::default() }).await;
    let agents = draining(&bed).await;
    // Long enough for a manager that would not wait.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(agents.iter().map(told_to_stop).sum::<usize>(), 0, "told before all nodes have applied it");
    agents[1].speak().await;
    bed.until("it is told to stop", async || agents.iter().map(told_to_stop).sum::<usize>() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_acknowledge_holds_up_a_task_no_longer_than_the_grace() {
    let bed = Bed::new().await;
    let agents = draining(&bed).await;
    bed.until("it is told to stop", async || agents.iter().map(told_to_stop).sum::<usize>() == 1).await;
    assert!(agents[1].told.lock().unwrap().silent);
}
