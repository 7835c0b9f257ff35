//! Network views and reports of the data path, over sessions.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cluster_types::{NetworkId, NetworkView, NodeNetwork, Version, ViewDiff, ViewItem, ViewItems, ViewKey};

use super::*;
use crate::DataPath;

/// Remembers the names of the networks that it carries, and refuses as often as it is told.
struct FakePath {
    carries: Mutex<Vec<String>>,
    refusals: AtomicU32,
    report: watch::Sender<NodeNetwork>,
}

#[async_trait]
impl DataPath for FakePath {
    async fn apply(&self, items: &ViewItems, _: Version) -> Result<(), String> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err("the kernel refuses".to_owned());
        }
        let name = |item: &Arc<ViewItem>| if let ViewItem::Network(network) = &**item { network.name.clone() } else { String::new() };
        *self.carries.lock().unwrap() = items.values().map(name).collect();
        Ok(())
    }

    fn report(&self) -> watch::Receiver<NodeNetwork> {
        self.report.subscribe()
    }
}

impl FakePath {
    fn new(refusals: u32) -> Arc<Self> {
        let report = watch::Sender::new(NodeNetwork::default());
        Arc::new(Self { carries: Mutex::default(), refusals: refusals.into(), report })
    }

    fn carries(&self) -> Vec<String> {
        self.carries.lock().unwrap().clone()
    }
}

async fn agent_over(lab: &Lab, path: &Arc<FakePath>) -> Agent {
    let config = AgentConfig { data_path: Arc::clone(path) as Arc<dyn DataPath>, ..config(lab.folder.path(), &[&lab.manager]) };
    Agent::start(config, Arc::clone(&lab.runtime) as Arc<dyn Runtime>).await.unwrap()
}

fn network(number: u128) -> Arc<ViewItem> {
    let (id, subnet) = (NetworkId::from_bits(number), "10.200.0.0/20".parse().unwrap());
    Arc::new(ViewItem::Network(NetworkView { id, name: format!("net-{number}"), subnet, internal: false }))
}

fn view(full: bool, version: u64, networks: &[u128]) -> ViewDiff {
    ViewDiff { full, version: Version(version), put: networks.iter().map(|number| network(*number)).collect(), remove: Vec::new() }
}

#[tokio::test]
async fn pieces_are_applied_as_one_and_acknowledged() {
    let (mut lab, path) = (Lab::new().await, FakePath::new(0));
    let _agent = agent_over(&lab, &path).await;
    let mut session = lab.manager.welcome(1).await;
    let first = pb::NetworkPiece { more: true, ..(&view(true, 5, &[1])).into() };
    session.view_piece(first).await;
    // Assignments do not wait for a view that is not whole.
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    assert_eq!(path.carries(), Vec::<String>::new());
    session.view(&view(false, 5, &[2])).await;
    assert_eq!(session.applied().await, 5);
    assert_eq!(path.carries(), ["net-1", "net-2"]);
    let gone = ViewDiff { remove: vec![ViewKey::Network(NetworkId::from_bits(1))], ..view(false, 9, &[3]) };
    session.view(&gone).await;
    assert_eq!(session.applied().await, 9);
    assert_eq!(path.carries(), ["net-2", "net-3"]);
    // Nothing of this node changed: the version alone.
    session.view(&view(false, 12, &[])).await;
    assert_eq!(session.applied().await, 12);
}

#[tokio::test]
async fn what_the_data_path_refuses_is_tried_again_and_not_acknowledged_before() {
    let (mut lab, path) = (Lab::new().await, FakePath::new(1));
    let _agent = agent_over(&lab, &path).await;
    let mut session = lab.manager.welcome(1).await;
    session.view(&view(true, 5, &[1])).await;
    eventually("refused", || path.refusals.load(Ordering::SeqCst) == 0).await;
    assert_eq!(path.carries(), Vec::<String>::new());
    // The session goes on meanwhile.
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    assert_eq!(session.applied().await, 5);
    assert_eq!(path.carries(), ["net-1"]);
}

#[tokio::test]
async fn a_view_outlives_its_session_and_a_full_one_replaces_it() {
    let (mut lab, path) = (Lab::new().await, FakePath::new(0));
    let _agent = agent_over(&lab, &path).await;
    let mut session = lab.manager.welcome(1).await;
    session.view(&view(true, 5, &[1, 2])).await;
    assert_eq!(session.applied().await, 5);
    // One piece of a change is lost with the session.
    session.view_piece(pb::NetworkPiece { more: true, ..(&view(false, 6, &[4])).into() }).await;
    drop(session);
    let mut session = lab.manager.welcome(1).await;
    session.assign(&full(vec![running(1)])).await;
    session.until(task(1), TaskState::Running).await;
    assert_eq!(path.carries(), ["net-1", "net-2"]);
    session.view(&view(true, 8, &[2, 3])).await;
    // Neither the old session's version nor the lost one is told in this session.
    assert_eq!(session.applied().await, 8);
    assert_eq!(path.carries(), ["net-2", "net-3"]);
}

#[tokio::test]
async fn reports_of_the_data_path_reach_every_session() {
    let (mut lab, path) = (Lab::new().await, FakePath::new(0));
    let _agent = agent_over(&lab, &path).await;
    path.report.send_modify(|report| report.repairs = 1);
    for repairs in 1..3 {
        let mut session = lab.manager.welcome(1).await;
        let Said::Network(first) = session.next().await else { panic!("no report of the data path") };
        assert_eq!((first.repairs, first.trouble), (repairs, None));
        path.report.send_modify(|report| (report.repairs, report.trouble) = (repairs + 1, Some("a link is gone".to_owned())));
        let Said::Network(second) = session.next().await else { panic!("no report of the data path") };
        assert_eq!((second.repairs, second.trouble.as_deref()), (repairs + 1, Some("a link is gone")));
        path.report.send_modify(|report| report.trouble = None);
        let Said::Network(third) = session.next().await else { panic!("no report of the data path") };
        assert_eq!(third.trouble, None);
    }
}

#[tokio::test]
async fn without_a_data_path_every_view_is_fine_and_nothing_is_told() {
    let mut lab = Lab::new().await;
    let _agent = lab.agent().await;
    let mut session = lab.manager.welcome(1).await;
    session.view(&view(true, 5, &[1])).await;
    assert!(matches!(session.next().await, Said::NetworkApplied(pb::NetworkApplied { version: 5 })));
}

#[tokio::test]
async fn a_removed_node_carries_nothing() {
    let (mut lab, path) = (Lab::new().await, FakePath::new(0));
    let _agent = agent_over(&lab, &path).await;
    let mut session = lab.manager.welcome(1).await;
    session.view(&view(true, 5, &[1])).await;
    session.applied().await;
    lab.manager.refuse((0..1000).map(|_| Status::permission_denied("this node was removed from the cluster: leave and join again")));
    drop(session);
    eventually("nothing is carried", || path.carries().is_empty()).await;
}
