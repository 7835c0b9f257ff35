//! Asks the managers on the node's behalf: one after the other until one answers.

use std::time::Duration;

use cluster_api::pb::ca_client::CaClient;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::pb::raft_client::RaftClient;
use cluster_api::status::Kind;
use cluster_api::{ApiError, Credentials, pb};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tonic::transport::Channel;
use tonic::{Response, Status};

/// How long one manager may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer of the first manager that gives one. A refusal is an answer; silence is not.
///
/// # Errors
/// The refusal, or that nobody answered, with each address and why.
pub(crate) async fn ask<T>(
    managers: &[String],
    credentials: &Credentials,
    call: impl Fn(Channel) -> BoxFuture<'static, Result<Response<T>, Status>> + Send + Sync,
) -> Result<T, ApiError> {
    let mut silent = Vec::new();
    for address in managers {
        let channel = cluster_api::tls::connect(address, credentials).map_err(|error| ApiError::internal(error.to_string()))?;
        let answer = tokio::time::timeout(PATIENCE, call(channel)).await;
        match answer.unwrap_or_else(|_| Err(Status::unavailable(format!("no answer within {} s", PATIENCE.as_secs())))) {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => {
                let error = ApiError::from(status);
                if !matches!(error.kind, Kind::Unavailable | Kind::Timeout) {
                    return Err(error);
                }
                silent.push(format!("{address}: {}", error.message));
            }
        }
    }
    Err(ApiError::unavailable(format!("no manager answers ({})", silent.join("; "))))
}

/// A certificate in the role that the node has now, for a new key. The key is returned with it and leaves this host never.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn renew(managers: &[String], credentials: &Credentials) -> Result<(pb::IssueResponse, String), ApiError> {
    let (key_pem, csr_pem) = cluster_manager::ca::key_and_request().map_err(|error| ApiError::internal(error.to_string()))?;
    let renewed = ask(managers, credentials, |channel| {
        let request = pb::RenewRequest { csr_pem: csr_pem.clone() };
        async move { CaClient::new(channel).renew(request).await }.boxed()
    });
    Ok((renewed.await?, key_pem))
}

/// A seat in the Raft group.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn seat(managers: &[String], credentials: &Credentials, address: String) -> Result<pb::SeatResponse, ApiError> {
    ask(managers, credentials, |channel| {
        let request = pb::SeatRequest { address: address.clone() };
        async move { RaftClient::new(channel).seat(request).await }.boxed()
    })
    .await
}

/// Leaves the cluster for good.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn leave(managers: &[String], credentials: &Credentials, force: bool) -> Result<(), ApiError> {
    let left = ask(managers, credentials, |channel| {
        async move { DispatcherClient::new(channel).leave(pb::LeaveClusterRequest { force }).await }.boxed()
    });
    left.await.map(|_| ())
}
