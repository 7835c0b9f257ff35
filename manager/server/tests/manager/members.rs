//! Managers that come, lead, go and die.

use std::time::Duration;

use cluster_api::status::{ApiError, code};
use cluster_api::{Kind, pb};
use cluster_manager::{Clock, ManagerConfig, SystemClock};
use cluster_types::Timestamp;

use crate::agent::Agent;
use crate::testbed::{Bed, PATIENCE};

const HOUR: Duration = Duration::from_secs(3600);

async fn three() -> [Bed; 3] {
    three_after(Bed::new().await).await
}

async fn three_after(first: Bed) -> [Bed; 3] {
    let (second, third) = (first.join_manager("m2").await, first.join_manager("m3").await);
    until_voters(&first, 3).await;
    [first, second, third]
}

async fn until_voters(bed: &Bed, count: usize) {
    let waiting = async {
        while bed.manager.raft().membership().voters.len() != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never {count} voters: {:?}", bed.manager.raft().membership()));
}

fn role(name: &str, role: pb::Role) -> pb::UpdateNodeRequest {
    pb::UpdateNodeRequest { reference: name.into(), role: Some(role.into()), ..Default::default() }
}

/// Repeats a request while there is no leader, as a client does.
async fn persist<T, F: AsyncFnMut() -> Result<T, tonic::Status>>(mut request: F) -> T {
    let trying = async {
        loop {
            match request().await {
                Ok(answer) => return answer,
                Err(status) if ApiError::from(&status).kind == Kind::Unavailable => {}
                Err(status) => panic!("{status}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_manager_takes_requests_and_another_one_follows_a_dead_leader() {
    let [first, second, third] = three().await;
    let worker = first.join("w1").await;
    let agent = Agent::start("w1", "n", first.channel(&worker));
    second.create("web", 2).await;
    second.until_running("web", 2).await;
    let nodes = third.control.clone().list_nodes(pb::ListNodesRequest::default()).await.unwrap().into_inner().nodes;
    assert_eq!(nodes.iter().filter(|node| node.manager.is_some()).count(), 3);
    assert_eq!(nodes.iter().filter(|node| node.leader).map(|node| node.description.as_ref().unwrap().hostname.as_str()).next(), Some("m1"));

    first.kill().await;
    drop(agent.ended().await);
    let request = pb::UpdateServiceRequest { reference: "web".into(), spec: Some(crate::testbed::spec("web", 5)), ..Default::default() };
    let scaled = persist(async || second.control.clone().update_service(request.clone()).await).await;
    assert_eq!(scaled.into_inner().service.unwrap().wanted, 5);
    let leader = if second.manager.raft().leadership().borrow().is_self_and_ready { &second } else { &third };
    let _agent = Agent::start("w1", "n", leader.channel(&worker));
    third.until_running("web", 5).await;
}

/// The clock of a machine that is an hour ahead.
struct Ahead(SystemClock);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus(HOUR)
    }

    fn reach(&self, at: Timestamp) {
        self.0.reach(at);
    }

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_time_does_not_go_back_with_a_change_of_leader() {
    let clock = std::sync::Arc::new(Ahead(SystemClock::default()));
    let [first, second, third] = three_after(Bed::with(ManagerConfig { clock, ..ManagerConfig::default() }).await).await;
    let before = first.create("web", 1).await.meta.unwrap().created_ms;
    assert!(before > SystemClock::default().wall().0 + 3_000_000, "the first leader is ahead");
    first.kill().await;
    let request = pb::CreateServiceRequest { spec: Some(crate::testbed::spec("more", 1)), request_id: "1".into(), ..Default::default() };
    let after = persist(async || second.control.clone().create_service(request.clone()).await).await;
    assert!(after.into_inner().service.unwrap().meta.unwrap().created_ms >= before);
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_writes_fail_and_reads_are_marked() {
    let [first, second, third] = three().await;
    second.create("web", 1).await;
    second.kill().await;
    third.kill().await;
    let mut control = first.control.clone();
    let started = std::time::Instant::now();
    let refused =
        control.create_service(pb::CreateServiceRequest { spec: Some(crate::testbed::spec("more", 1)), ..Default::default() }).await;
    let error = ApiError::from(refused.unwrap_err());
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(6));
    let stale = async || {
        let answer = control.list_services(pb::ListServicesRequest::default()).await.unwrap();
        answer.metadata().contains_key(cluster_manager::STALE) && answer.get_ref().services.len() == 1
    };
    assert!({ stale }().await);
    let error = ApiError::from(
        first.control.clone().remove_service(pb::RemoveServiceRequest { reference: "web".into(), ..Default::default() }).await.unwrap_err(),
    );
    assert_eq!(error.code, code::NO_LEADER, "{error}");
    assert!(error.message.contains("1 of 3 managers reachable"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_are_demoted_and_promoted_again_and_the_last_one_stays() {
    let [first, second, third] = three().await;
    let demoted = persist(async || first.control.clone().update_node(role("m3", pb::Role::WorkerNode)).await).await;
    assert_eq!(demoted.into_inner().node.unwrap().spec.unwrap().role(), pb::Role::WorkerNode);
    first.until("m3 gave its seat up", async || first.node("m3").await.manager.is_none()).await;
    until_voters(&first, 2).await;

    // The leader itself: another one leads, then it goes.
    persist(async || second.control.clone().update_node(role("m1", pb::Role::WorkerNode)).await).await;
    until_voters(&second, 1).await;
    let gone = async || {
        let request = pb::ListNodesRequest { reference: "m1".into(), ..Default::default() };
        persist(async || second.control.clone().list_nodes(request.clone()).await).await.into_inner().nodes[0].manager.is_none()
    };
    while !gone().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = ApiError::from(second.control.clone().update_node(role("m2", pb::Role::WorkerNode)).await.unwrap_err());
    assert_eq!(error.code, code::QUORUM, "{error}");
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_worker_is_told_to_renew_and_gets_a_managers_certificate() {
    let bed = Bed::new().await;
    let worker = bed.join("w1").await;
    let agent = Agent::start("w1", "n", bed.channel(&worker));
    bed.until_ready("w1").await;
    let renew = async || {
        let (_, csr_pem) = cluster_manager::ca::key_and_request().unwrap();
        let mut ca = cluster_api::pb::ca_client::CaClient::new(bed.channel(&worker));
        ca.renew(pb::RenewRequest { csr_pem }).await.unwrap().into_inner().role()
    };
    assert_eq!(renew().await, pb::Role::WorkerNode);
    for (times, wanted) in [(1, pb::Role::ManagerNode), (2, pb::Role::WorkerNode)] {
        bed.control.clone().update_node(role("w1", wanted)).await.unwrap();
        bed.until("the agent is told", async || agent.told.lock().unwrap().renewals == times).await;
        assert_eq!(renew().await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_answers_gets_no_seat() {
    let bed = Bed::new().await;
    let token = bed.token(cluster_types::Role::Manager).await;
    let credentials = bed.join_with(&token, "m2").await.unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut raft = cluster_api::pb::raft_client::RaftClient::new(bed.channel(&credentials));
    let error = ApiError::from(raft.seat(pb::SeatRequest { address: nobody.clone() }).await.unwrap_err());
    assert_eq!(error.code, code::PRECONDITION);
    assert!(error.message.contains(&nobody), "{error}");
    assert!(bed.node("m2").await.manager.is_none());
}
