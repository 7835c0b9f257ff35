//! An agent with fake containers against managers whose every message the test decides.

mod manager;
mod network;

use std::path::Path;
use std::time::Duration;

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Said;
use cluster_api::pb::manager_message::Item;
use cluster_runtime::FakeRuntime;
use cluster_types::{AssignmentDiff, ContainerSpec, DesiredState, ServiceId, TaskAssignment, TaskId, TaskSpec, TaskState};
use tonic::{Code, Status};

use super::*;
use manager::{FakeManager, Plain};

fn task(number: u128) -> TaskId {
    TaskId::from_bits(number)
}

fn wanted(number: u128, desired: DesiredState, image: &str) -> Arc<TaskAssignment> {
    let args = vec!["one".to_owned(), "!two".to_owned()];
    let container = ContainerSpec { image: image.to_owned(), args, ..ContainerSpec::default() };
    Arc::new(TaskAssignment {
        task: task(number),
        service: ServiceId::from_bits(1),
        service_name: "web".to_owned(),
        slot: 1,
        desired,
        spec: Arc::new(TaskSpec { container, ..TaskSpec::default() }),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    })
}

fn running(number: u128) -> Arc<TaskAssignment> {
    wanted(number, DesiredState::Running, "fake/sleep")
}

fn full(put: Vec<Arc<TaskAssignment>>) -> AssignmentDiff {
    AssignmentDiff { full: true, put, remove: Vec::new() }
}

fn change(put: Vec<Arc<TaskAssignment>>) -> AssignmentDiff {
    AssignmentDiff { put, ..AssignmentDiff::default() }
}

fn config(folder: &Path, managers: &[&FakeManager]) -> AgentConfig {
    let addresses = managers.iter().map(|manager| manager.address.clone()).collect();
    let config = AgentConfig::new(NodeId::from_bits(1), Arc::new(Plain), addresses);
    AgentConfig { data_dir: Some(folder.join("agent")), boot_id: "first".to_owned(), ..config }
}

async fn start(folder: &Path, managers: &[&FakeManager], runtime: &Arc<FakeRuntime>) -> Agent {
    Agent::start(config(folder, managers), Arc::clone(runtime) as Arc<dyn Runtime>).await.unwrap()
}

/// Waits until something holds; the test's own deadline is far away.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

struct Lab {
    folder: tempfile::TempDir,
    manager: FakeManager,
    runtime: Arc<FakeRuntime>,
}

impl Lab {
    async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), manager: FakeManager::start().await, runtime: Arc::new(FakeRuntime::new()) }
    }

    async fn agent(&self) -> Agent {
        start(self.folder.path(), &[&self.manager], &self.runtime).await
    }

    /// An agent that runs a task and has nothing left to tell.
    async fn settled(&mut self, number: u128) -> Agent {
        let agent = self.agent().await;
        let mut session = self.manager.welcome(1).await;
        session.assign(&full(vec![running(number)])).await;
        session.until(task(number), TaskState::Running).await;
        session.confirm().await;
        eventually("settled", || agent.is_settled()).await;
        agent
    }
}

#[tokio::test]
async fn assignments_act_and_are_reported() {
    let mut lab = Lab::new().await;
    let agent = lab.agent().await;
    let mut session = lab.manager.welcome(3).await;
    assert!(!session.hello.nonce.is_empty() && session.hello.boot_id == "first");
    // A full set in two pieces: nothing is done about the first alone.
    let mut first: pb::Assignments = (&full(vec![running(1)])).into();
    first.more = true;
    session.piece(first).await;
    session.piece((&change(vec![running(2), wanted(3, DesiredState::Ready, "fake/sleep")])).into()).await;
    session.until(task(3), TaskState::Ready).await;
    eventually("two run", || lab.runtime.running() == [task(1), task(2)]).await;
    session.assign(&change(vec![wanted(1, DesiredState::Shutdown, "fake/sleep"), wanted(4, DesiredState::Running, "fake/exit-7")])).await;
    let failed = session.until(task(4), TaskState::Failed).await;
    assert_eq!((failed.error.as_deref(), failed.container.unwrap().exit_code), (Some("exit code 7"), Some(7)));
    session.assign(&AssignmentDiff { remove: vec![task(1), task(4)], ..AssignmentDiff::default() }).await;
    let runtime = Arc::clone(&lab.runtime);
    eventually("the forgotten are gone", || !runtime.has(task(1)) && !runtime.has(task(4))).await;
    assert_eq!(runtime.running(), [task(2)]);
    let presence = Presence::Open { manager: lab.manager.address.clone(), incarnation: 1, term: 3 };
    assert_eq!(agent.status().presence, presence);
}

#[tokio::test]
async fn a_full_set_counts_only_when_it_is_whole() {
    let mut lab = Lab::new().await;
    let _agent = lab.settled(2).await;
    let mut session = lab.manager.welcome(1).await;
    // The task that runs is in the second piece.
    let mut first: pb::Assignments = (&full(vec![running(1)])).into();
    first.more = true;
    session.piece(first).await;
    // Once the agent answers this, it has read the piece.
    for _ in 0..3 {
        let asked = pb::LogsWanted { subscription: "echo".to_owned(), ..pb::LogsWanted::default() };
        session.say(Item::LogsWanted(asked)).await;
        while lab.manager.log().await.subscription != manager::LOG_ENDED {}
    }
    assert!(!lab.runtime.has(task(1)));
    session.piece((&change(vec![running(2)])).into()).await;
    session.until(task(1), TaskState::Running).await;
    assert_eq!((lab.runtime.running(), lab.runtime.starts(task(2))), (vec![task(1), task(2)], 1));
}

#[tokio::test]
async fn a_missing_image_is_told_with_its_cause() {
    let mut lab = Lab::new().await;
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![wanted(1, DesiredState::Running, "fake/missing")])).await;
    let status = session.until(task(1), TaskState::Rejected).await;
    assert_eq!(status.error.as_deref(), Some("image fake/missing: there is no such image"));
}

#[tokio::test]
async fn a_restarted_agent_takes_its_containers_over_without_a_manager() {
    let mut lab = Lab::new().await;
    lab.settled(1).await.shutdown().await;
    assert_eq!(lab.runtime.running(), [task(1)]);
    // No manager can be reached; then the container ends.
    let agent = start(lab.folder.path(), &[], &lab.runtime).await;
    lab.runtime.exit(task(1), 5);
    agent.shutdown().await;
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    let status = session.until(task(1), TaskState::Failed).await;
    assert_eq!((status.error.as_deref(), lab.runtime.starts(task(1))), (Some("exit code 5"), 1));
}

#[tokio::test]
async fn a_reboot_fails_what_ran_once() {
    let mut lab = Lab::new().await;
    lab.settled(1).await.shutdown().await;
    // The host restarts: no process is left.
    let after = Arc::new(FakeRuntime::new());
    let config = AgentConfig { boot_id: "second".to_owned(), ..config(lab.folder.path(), &[&lab.manager]) };
    let agent = Agent::start(config.clone(), Arc::clone(&after) as Arc<dyn Runtime>).await.unwrap();
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1)])).await;
    let status = session.until(task(1), TaskState::Failed).await;
    assert!(status.error.unwrap().contains("the host restarted"));
    agent.shutdown().await;
    let _agent = Agent::start(config, Arc::clone(&after) as Arc<dyn Runtime>).await.unwrap();
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1), running(2)])).await;
    session.until(task(2), TaskState::Running).await;
    assert_eq!(after.running(), [task(2)]);
}

#[tokio::test]
async fn a_gap_in_the_sequence_begins_a_new_session() {
    let mut lab = Lab::new().await;
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    session.sequence += 1;
    session.assign(&change(vec![running(2)])).await;
    session.ended().await;
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1), running(3)])).await;
    session.until(task(3), TaskState::Running).await;
    assert_eq!(lab.runtime.running(), [task(1), task(3)]);
    assert_eq!(lab.runtime.starts(task(1)), 1);
}

#[tokio::test]
async fn an_old_leader_is_refused_also_after_a_restart() {
    let mut lab = Lab::new().await;
    let agent = lab.agent().await;
    let mut session = lab.manager.welcome(7).await;
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    agent.shutdown().await;
    let _agent = lab.agent().await;
    let mut old = lab.manager.welcome(6).await;
    old.assign(&full(Vec::new())).await;
    old.ended().await;
    let mut new = lab.manager.welcome(7).await;
    new.assign(&full(vec![running(1), running(2)])).await;
    new.until(task(2), TaskState::Running).await;
    assert_eq!((lab.runtime.running(), lab.runtime.starts(task(1))), (vec![task(1), task(2)], 1));
}

#[tokio::test]
async fn unconfirmed_reports_are_sent_again() {
    let mut lab = Lab::new().await;
    let agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    drop(session);
    let mut session = lab.manager.welcome(1).await;
    session.until(task(1), TaskState::Running).await;
    assert!(!agent.is_settled());
    session.confirm().await;
    eventually("settled", || agent.is_settled()).await;
    assert_eq!(agent.running_committed(), 1);
}

#[tokio::test]
async fn a_follower_sends_the_agent_to_the_leader() {
    let lab = Lab::new().await;
    let mut leader = FakeManager::start().await;
    let mut elsewhere = Status::failed_precondition("another manager leads");
    elsewhere.metadata_mut().insert("cluster-leader", leader.address.parse().unwrap());
    lab.manager.refuse([elsewhere]);
    let agent = lab.agent().await;
    let _session = leader.welcome(1).await;
    let address = leader.address.clone();
    eventually("a session with the leader", || matches!(agent.status().presence, Presence::Open { manager, .. } if manager == address))
        .await;
}

/// Otherwise it would ask for ever the ones that were there when its session began.
#[tokio::test]
async fn a_manager_that_came_during_the_session_is_asked_when_it_ends() {
    let mut lab = Lab::new().await;
    let mut newcomer = FakeManager::start().await;
    let _agent = lab.agent().await;
    let session = lab.manager.welcome(1).await;
    let managers = vec![newcomer.address.clone()];
    session.say(Item::Welcome(pb::Welcome { heartbeat_period_ms: 60_000, manager_addresses: managers })).await;
    drop(session);
    lab.manager.refuse((0..1000).map(|_| Status::unavailable("gone")));
    drop(newcomer.welcome(2).await);
}

#[tokio::test]
async fn a_silent_manager_is_left() {
    let mut lab = Lab::new().await;
    let _agent = lab.agent().await;
    let mut silent = lab.manager.session().await;
    silent.welcome(30).await;
    assert!(matches!(silent.next().await, Said::Heartbeat(_)));
    silent.ended().await;
    // One that answers is kept for longer than silence would be borne.
    let mut session = lab.manager.session().await;
    session.welcome(1_000).await;
    for _ in 0..3 {
        assert!(matches!(session.next().await, Said::Heartbeat(_)));
        session.say(Item::HeartbeatPeriodMs(1_000)).await;
    }
}

#[tokio::test]
async fn a_removed_node_stops_its_tasks_and_asks_no_more() {
    let mut lab = Lab::new().await;
    let agent = lab.settled(1).await;
    agent.shutdown().await;
    let removed = || Status::permission_denied("this node was removed from the cluster: leave and join again");
    // One manager that lags behind is no proof.
    lab.manager.refuse([removed()]);
    let agent = lab.agent().await;
    drop(lab.manager.welcome(1).await);
    assert_eq!(lab.runtime.running(), [task(1)]);
    lab.manager.refuse((0..1000).map(|_| removed()));
    eventually("removed", || matches!(agent.status().presence, Presence::Removed { .. })).await;
    eventually("nothing runs", || lab.runtime.running().is_empty()).await;
    let left = lab.manager.refusals_left();
    tokio::task::yield_now().await;
    assert_eq!(lab.manager.refusals_left(), left);
}

#[tokio::test]
async fn another_refusal_stops_nothing() {
    let mut lab = Lab::new().await;
    lab.settled(1).await.shutdown().await;
    lab.manager.refuse((0..4).map(|_| Status::new(Code::PermissionDenied, "another agent has this node's identity")));
    let _agent = lab.agent().await;
    let _session = lab.manager.welcome(1).await;
    assert_eq!(lab.runtime.running(), [task(1)]);
}

#[tokio::test]
async fn a_damaged_ledger_costs_no_restart() {
    let mut lab = Lab::new().await;
    lab.settled(1).await.shutdown().await;
    let ledger = lab.folder.path().join("agent/ledger");
    let mut bytes = std::fs::read(&ledger).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&ledger, bytes).unwrap();
    let agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    // Changes alone do not say that a container belongs to nobody.
    session.assign(&change(vec![running(2)])).await;
    session.until(task(2), TaskState::Running).await;
    assert_eq!(lab.runtime.running(), [task(1), task(2)]);
    drop(session);
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1), running(2)])).await;
    session.until(task(1), TaskState::Running).await;
    assert_eq!(lab.runtime.starts(task(1)), 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_container_of_nobody_goes_with_the_first_full_set() {
    let mut lab = Lab::new().await;
    lab.settled(1).await.shutdown().await;
    std::fs::remove_dir_all(lab.folder.path().join("agent")).unwrap();
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    assert_eq!(lab.runtime.running(), [task(1)]);
    session.assign(&full(vec![running(2)])).await;
    eventually("the stray is gone", || lab.runtime.running() == [task(2)]).await;
    eventually("and its files", || !lab.runtime.has(task(1))).await;
}

#[tokio::test]
async fn logs_are_published_on_request() {
    let mut lab = Lab::new().await;
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![wanted(1, DesiredState::Running, "fake/talk")])).await;
    session.until(task(1), TaskState::Running).await;
    let wanted = |follow| pb::LogsWanted {
        subscription: format!("follow {follow}"),
        tasks: vec![task(1).to_string(), task(9).to_string()],
        follow,
        ..pb::LogsWanted::default()
    };
    session.say(Item::LogsWanted(wanted(true))).await;
    let first = lab.manager.log().await;
    assert_eq!(first.notices.iter().map(|notice| notice.task.clone()).collect::<Vec<_>>(), [task(9).to_string()]);
    let mut lines = Vec::new();
    while lines.len() < 2 {
        lines.extend(lab.manager.log().await.lines.into_iter().map(|line| (line.stderr, line.text)));
    }
    assert_eq!(lines, [(false, b"one".to_vec()), (true, b"two".to_vec())]);
    session.say(Item::LogsDone("follow true".to_owned())).await;
    assert_eq!(lab.manager.log().await.subscription, manager::LOG_ENDED);
    session.say(Item::LogsWanted(wanted(false))).await;
    assert_eq!(lab.manager.log().await.subscription, "follow false");
}

#[tokio::test]
async fn a_renewal_is_passed_on() {
    let mut lab = Lab::new().await;
    let agent = lab.agent().await;
    let session = lab.manager.welcome(1).await;
    session.say(Item::RenewNow(pb::RenewNow {})).await;
    eventually("asked to renew", || agent.status().renewals_wanted == 1).await;
}

#[tokio::test]
async fn a_fleet_runs_and_counts_what_was_acknowledged() {
    let mut manager = FakeManager::start().await;
    let address = manager.address.clone();
    let nodes = (0..5).map(|number| crate::bench::FleetNode { node: NodeId::from_bits(number), dial: Arc::new(Plain) });
    let fleet = crate::FakeFleet::start(nodes.collect(), vec![address]).await.unwrap();
    let mut sessions = Vec::new();
    for number in 0..5 {
        let mut session = manager.welcome(1).await;
        session.assign(&full(vec![running(number)])).await;
        session.until(task(number), TaskState::Running).await;
        session.confirm().await;
        sessions.push(session);
    }
    fleet.connected(Duration::from_secs(30)).await.unwrap();
    fleet.acknowledged_tasks(5, Duration::from_secs(30)).await.unwrap();
    assert_eq!(fleet.progress(), crate::bench::FleetProgress { sessions: 5, running: 5, acknowledged: 5 });
    fleet.shutdown().await;
}
