//! Who may do what: every method against every kind of caller, tokens, removed nodes, forged reports.

use cluster_api::callers::{CallerKind, TABLE, allowed};
use cluster_api::pb::agent_message::Item as Up;
use cluster_api::pb::ca_client::CaClient;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::status::{ApiError, code};
use cluster_api::{pb, tls};
use cluster_types::{JoinToken, Role};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use crate::agent::Agent;
use crate::testbed::{Bed, description};

/// The status with which an empty message to `path` ends.
async fn knock(channel: Channel, path: &str) -> Code {
    let body = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
    let request = http::Request::post(format!("http://manager{path}")).header("content-type", "application/grpc").header("te", "trailers");
    let answer = channel.oneshot(request.body(Body::new(body)).unwrap()).await.unwrap();
    if let Some(status) = Status::from_header_map(answer.headers()) {
        return status.code();
    }
    let body = tokio::time::timeout(std::time::Duration::from_millis(300), answer.into_body().collect()).await;
    let trailers = body.ok().and_then(Result::ok).and_then(|body| body.trailers().cloned());
    trailers.and_then(|trailers| Status::from_header_map(&trailers)).map_or(Code::Ok, |status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses_every_caller_that_it_is_not_for() {
    let bed = Bed::new().await;
    let worker = bed.join("w1").await;
    let pinned = tls::connect_pinned(&bed.address.to_string(), bed.credentials.root_digest()).unwrap();
    let callers =
        [(CallerKind::Anyone, pinned), (CallerKind::Worker, bed.channel(&worker)), (CallerKind::Manager, bed.channel(&bed.credentials))];
    for (path, _) in TABLE.iter().filter(|(path, _)| !path.contains(".Local/")) {
        for (kind, channel) in &callers {
            let code = knock(channel.clone(), path).await;
            let refused = code == if *kind == CallerKind::Anyone { Code::Unauthenticated } else { Code::PermissionDenied };
            // A method that is for the caller may find fault with an empty message, but not with the caller.
            assert_eq!(
                refused,
                !allowed(path, *kind) || (refused && ["Ca/Issue", "Ca/Probe"].iter().any(|end| path.ends_with(end))),
                "{path} as {kind:?}: {code:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_checked_and_replaced() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Worker).await;
    for wrong in [JoinToken { secret: token.secret ^ 1, ..token.clone() }, JoinToken { role: Role::Manager, ..token.clone() }] {
        let error = ApiError::from(bed.join_with(&wrong, "w").await.unwrap_err());
        assert_eq!(error.code, code::TOKEN, "{error}");
    }
    let rotate = pb::GetJoinTokenRequest { role: pb::Role::WorkerNode.into(), rotate: true };
    let fresh: JoinToken = bed.control.clone().get_join_token(rotate).await.unwrap().into_inner().token.parse().unwrap();
    assert_eq!(ApiError::from(bed.join_with(&token, "w").await.unwrap_err()).code, code::TOKEN);
    assert_eq!(bed.join_with(&fresh, "w").await.unwrap().identity().role, Role::Worker);
    let nodes = bed.control.clone().list_nodes(pb::ListNodesRequest::default()).await.unwrap().into_inner().nodes;
    assert_eq!(nodes.len(), 2, "nothing is half joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_is_tried_again_makes_one_node() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Worker).await;
    let (_, csr_pem) = cluster_manager::ca::key_and_request().unwrap();
    let request = pb::IssueRequest {
        token: token.to_string(),
        csr_pem,
        description: Some((&description("w1")).into()),
        advertise_address: "127.0.0.1".into(),
    };
    let channel = tls::connect_pinned(&bed.address.to_string(), token.ca_digest).unwrap();
    let first = CaClient::new(channel.clone()).issue(request.clone()).await.unwrap().into_inner();
    let second = CaClient::new(channel.clone()).issue(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.node_id, second.node_id);
    let remove = pb::RemoveNodeRequest { reference: first.node_id, ..Default::default() };
    bed.control.clone().remove_node(remove).await.unwrap();
    let error = ApiError::from(CaClient::new(channel).issue(request).await.unwrap_err());
    assert_eq!(error.code, code::DENIED, "a removed node does not come back with its key: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_is_cut_off() {
    let bed = Bed::new().await;
    let credentials = bed.join("w1").await;
    let agent = Agent::start("w1", "n", bed.channel(&credentials));
    bed.until_ready("w1").await;
    let remove = |force| pb::RemoveNodeRequest { reference: "w1".into(), force, ..Default::default() };
    let error = ApiError::from(bed.control.clone().remove_node(remove(false)).await.unwrap_err());
    assert_eq!(error.code, code::PRECONDITION, "it is up: {error}");
    bed.control.clone().remove_node(remove(true)).await.unwrap();
    drop(agent.ended().await);
    let again = Agent::start("w1", "n", bed.channel(&credentials)).ended().await;
    assert_eq!(again.code(), Code::PermissionDenied);
    let renew = CaClient::new(bed.channel(&credentials)).renew(pb::RenewRequest::default()).await.unwrap_err();
    assert_eq!(renew.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cannot_report_anothers_task() {
    let bed = Bed::new().await;
    let (own, other) = (bed.join("w1").await, bed.join("w2").await);
    let _agent = Agent::start("w1", "n", bed.channel(&own));
    bed.create("web", 1).await;
    bed.until_running("web", 1).await;
    let task = bed.tasks("web").await.remove(0);
    let status = pb::TaskStatus { state: pb::TaskState::Failed.into(), ..Default::default() };
    let forged = pb::Report { tasks: vec![pb::TaskReport { task: task.id.clone(), status: Some(status) }] };
    let hello = pb::Hello { nonce: "x".into(), boot_id: "y".into(), description: None };
    let (up, messages) = tokio::sync::mpsc::channel(4);
    for item in [Up::Hello(hello), Up::Report(forged)] {
        up.try_send(pb::AgentMessage { item: Some(item) }).unwrap();
    }
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let mut down = DispatcherClient::new(bed.channel(&other)).session(messages).await.unwrap().into_inner();
    while !matches!(down.message().await.unwrap().unwrap().item, Some(pb::manager_message::Item::ReportsCommitted(1))) {}
    assert_eq!(bed.tasks("web").await[0].status.as_ref().unwrap().state(), pb::TaskState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_agent_is_refused() {
    let bed = Bed::new().await;
    let credentials = bed.join("w1").await;
    let first = Agent::start("w1", "a", bed.channel(&credentials));
    bed.until_ready("w1").await;
    let _second = Agent::start("w1", "b", bed.channel(&credentials));
    assert_eq!(first.ended().await.code(), Code::Aborted, "the agent's next start takes the place of the one before");
    let back = Agent::start("w1", "a", bed.channel(&credentials)).ended().await;
    assert_eq!(back.code(), Code::AlreadyExists);
}
