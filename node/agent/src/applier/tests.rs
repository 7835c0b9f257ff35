//! The applier with a data path in the test's hands.

use async_trait::async_trait;
use cluster_types::{NetworkId, NetworkView, NodeNetwork, ViewItem};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// Ends each application as the test says.
struct InHand {
    asked: mpsc::UnboundedSender<(u64, usize)>,
    answers: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<(), String>>>,
}

#[async_trait]
impl DataPath for InHand {
    async fn apply(&self, items: &ViewItems, version: Version) -> Result<(), String> {
        self.asked.send((version.0, items.len())).unwrap();
        self.answers.lock().await.recv().await.unwrap()
    }

    fn report(&self) -> watch::Receiver<NodeNetwork> {
        watch::channel(NodeNetwork::default()).1
    }
}

struct Lab {
    views: Views,
    asked: mpsc::UnboundedReceiver<(u64, usize)>,
    answer: mpsc::UnboundedSender<Result<(), String>>,
    done: watch::Receiver<Applied>,
    _applier: AbortOnDropHandle<()>,
}

impl Lab {
    fn new() -> Self {
        let ((asks, asked), (answer, answers)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (views, applier) = applier(Arc::new(InHand { asked: asks, answers: answers.into() }));
        let done = views.applied();
        Self { views, asked, answer, done, _applier: AbortOnDropHandle::new(tokio::spawn(applier.run())) }
    }

    /// Knows one more network from now on.
    fn learn(&self, version: u64) {
        let network = NetworkView {
            id: NetworkId::from_bits(version.into()),
            name: format!("net-{version}"),
            subnet: "10.200.0.0/20".parse().unwrap(),
            internal: false,
        };
        let put = vec![Arc::new(ViewItem::Network(network))];
        self.views.take(7, &ViewDiff { version: Version(version), put, ..ViewDiff::default() });
    }

    async fn asked(&mut self) -> (u64, usize) {
        self.asked.recv().await.unwrap()
    }

    async fn applied(&mut self) -> Applied {
        self.done.changed().await.unwrap();
        *self.done.borrow_and_update()
    }
}

#[tokio::test]
async fn while_it_is_busy_only_the_newest_view_waits() {
    let mut lab = Lab::new();
    lab.learn(1);
    assert_eq!(lab.asked().await, (1, 1));
    (2..10).for_each(|version| lab.learn(version));
    lab.answer.send(Ok(())).unwrap();
    assert_eq!(lab.applied().await, Applied { session: 7, version: Version(1) });
    assert_eq!(lab.asked().await, (9, 9));
    lab.answer.send(Ok(())).unwrap();
    assert_eq!(lab.applied().await.version, Version(9));
    lab.views.forget();
    assert_eq!(lab.asked().await, (0, 0));
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_a_newer_view_does_not_wait() {
    let mut lab = Lab::new();
    lab.learn(1);
    for _ in 0..2 {
        assert_eq!(lab.asked().await, (1, 1));
        lab.answer.send(Err("the kernel refuses".to_owned())).unwrap();
    }
    lab.learn(2);
    assert!(!lab.done.has_changed().unwrap());
    assert_eq!(lab.asked().await, (2, 2));
    lab.answer.send(Ok(())).unwrap();
    assert_eq!(lab.applied().await.version, Version(2));
    assert!(lab.asked.try_recv().is_err());
}
