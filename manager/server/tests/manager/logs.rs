//! Logs: from the nodes that have them, and only from those.

use cluster_api::pb;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::pb::logs_response::Item;
use tonic::Code;
use tonic::transport::Channel;

use crate::agent::Agent;
use crate::testbed::Bed;

/// Publishes one line of each task that the agent was last asked for.
async fn publish(agent: &Agent, channel: Channel) -> Result<(), tonic::Status> {
    let wanted = agent.told.lock().unwrap().logs_wanted.last().cloned().unwrap();
    let line = |task: &String| pb::PublishedLine { task: task.clone(), at_ns: 1, text: b"hello".to_vec(), ..Default::default() };
    let lines = wanted.tasks.iter().map(line).collect();
    let message = pb::PublishLogsRequest { subscription: wanted.subscription, lines, notices: Vec::new() };
    DispatcherClient::new(channel).publish_logs(tokio_stream::once(message)).await.map(drop)
}

async fn until_asked(agent: &Agent, times: usize) {
    while agent.told.lock().unwrap().logs_wanted.len() < times {
        tokio::task::yield_now().await;
    }
}

fn reader(bed: &Bed, follow: bool) -> impl Future<Output = tonic::Streaming<pb::LogsResponse>> + use<> {
    let mut control = bed.control.clone();
    async move {
        let request = pb::LogsRequest { reference: "web".into(), follow, ..Default::default() };
        control.logs(request).await.unwrap().into_inner()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_with_names_and_a_node_without_a_session_is_named() {
    let bed = Bed::new().await;
    let (first, second) = (bed.join("w1").await, bed.join("w2").await);
    let (stays, goes) = (Agent::start("w1", "n", bed.channel(&first)), Agent::start("w2", "n", bed.channel(&second)));
    bed.until_ready("w1").await;
    bed.until_ready("w2").await;
    bed.create("web", 2).await;
    bed.until_running("web", 2).await;
    goes.kill();
    bed.until_state("w2", pb::NodeState::NodeDisconnected).await;

    let mut lines = reader(&bed, false).await;
    until_asked(&stays, 1).await;
    publish(&stays, bed.channel(&first)).await.unwrap();
    let (mut text, mut missing) = (Vec::new(), Vec::new());
    while let Some(message) = lines.message().await.unwrap() {
        match message.item.unwrap() {
            Item::Line(line) => text.push((line.node_hostname, line.task_name, line.text)),
            Item::Notice(notice) => missing.push(notice.node),
        }
    }
    assert_eq!(missing, ["w2"]);
    let [(node, task, line)] = text.as_slice() else { panic!("{text:?}") };
    assert_eq!((node.as_str(), line.as_slice()), ("w1", b"hello".as_slice()));
    assert!(task.starts_with("web."), "{task}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_publishes_only_what_it_was_asked_for() {
    let bed = Bed::new().await;
    let (own, other) = (bed.join("w1").await, bed.join("w2").await);
    let agent = Agent::start("w1", "n", bed.channel(&own));
    bed.create("web", 1).await;
    bed.until_running("web", 1).await;
    let _lines = reader(&bed, true).await;
    until_asked(&agent, 1).await;
    let refused = publish(&agent, bed.channel(&other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    agent.told.lock().unwrap().logs_wanted[0].tasks.push(cluster_types::TaskId::from_bits(7).to_string());
    let refused = publish(&agent, bed.channel(&own)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_of_new_tasks_and_a_silent_node_is_named() {
    let bed = Bed::new().await;
    let own = bed.join("w1").await;
    let agent = Agent::start("w1", "n", bed.channel(&own));
    bed.create("web", 1).await;
    bed.until_running("web", 1).await;
    let mut lines = reader(&bed, true).await;
    until_asked(&agent, 1).await;
    bed.scale("web", 2).await;
    until_asked(&agent, 2).await;
    let wanted = agent.told.lock().unwrap().logs_wanted.clone();
    assert_ne!(wanted[0].subscription, wanted[1].subscription, "an agent answers each subscription once");
    assert!(wanted.iter().all(|wanted| wanted.follow && wanted.tasks.len() == 1));
    let message = lines.message().await.unwrap().unwrap();
    assert!(matches!(message.item, Some(Item::Notice(notice)) if notice.node == "w1" && notice.text.contains("did not answer")));
}
