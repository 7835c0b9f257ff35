//! The control API: what users ask of the cluster. Served where the leader is; `forward` brings requests here.
//!
//! Each method turns a message into domain types, resolves references, validates, proposes, and answers from a view that includes what it
//! did. It decides nothing: that is `cluster-decide`. One file for each noun.

pub(crate) mod cluster;
mod conflicts;
pub(crate) mod logs;
mod network;
pub(crate) mod node;
pub(crate) mod page;
pub(crate) mod reference;
pub(crate) mod service;
pub(crate) mod task;
pub(crate) mod watch;

use std::sync::Arc;

use cluster_api::pb::control_server::Control;
use cluster_api::{ApiError, Caller, pb};
use futures::stream::BoxStream;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use crate::core::{Core, Freshness};
use crate::request::Key;

/// In the headers of an answer that was read without the assurance of a majority: it may be old (failures A14).
pub const STALE: &str = "cluster-stale";

/// The control service of one manager.
#[derive(Clone)]
pub(crate) struct ControlService {
    pub(crate) core: Arc<Core>,
}

/// An answer, marked when it may be old.
fn answer<T>((message, freshness): (T, Freshness)) -> Response<T> {
    let mut response = Response::new(message);
    match freshness {
        Freshness::Current => {}
        Freshness::Stale => drop(response.metadata_mut().insert(STALE, MetadataValue::from_static("true"))),
    }
    response
}

/// Methods that all look alike: `$method` reads or writes through `$function`. Each write leaves a line in the log, with who asked
/// (security.md 3.2).
macro_rules! read {
    ($self:ident, $function:path, $request:ident) => {
        Ok(answer($function(&$self.core, $request.into_inner()).await.map_err(Status::from)?))
    };
}
macro_rules! write {
    ($self:ident, $function:path, $request:ident, $method:literal) => {{
        let (key, caller) = (Key::of($method, &$request), Caller::of(&$request)?);
        let outcome = $function(&$self.core, key, $request.into_inner()).await;
        let error = outcome.as_ref().err().map(tracing::field::display);
        tracing::info!(target: "audit", method = $method, caller = caller.forwarded(), request = %key.request(), error, "control");
        Ok(Response::new(outcome.map_err(Status::from)?))
    }};
}

#[tonic::async_trait]
impl Control for ControlService {
    async fn get_cluster(&self, request: Request<pb::GetClusterRequest>) -> Result<Response<pb::GetClusterResponse>, Status> {
        read!(self, cluster::get, request)
    }

    async fn get_join_token(&self, request: Request<pb::GetJoinTokenRequest>) -> Result<Response<pb::GetJoinTokenResponse>, Status> {
        write!(self, cluster::join_token, request, "GetJoinToken")
    }

    async fn list_nodes(&self, request: Request<pb::ListNodesRequest>) -> Result<Response<pb::ListNodesResponse>, Status> {
        read!(self, node::list, request)
    }

    async fn update_node(&self, request: Request<pb::UpdateNodeRequest>) -> Result<Response<pb::UpdateNodeResponse>, Status> {
        write!(self, node::update, request, "UpdateNode")
    }

    async fn remove_node(&self, request: Request<pb::RemoveNodeRequest>) -> Result<Response<pb::RemoveNodeResponse>, Status> {
        write!(self, node::remove, request, "RemoveNode")
    }

    async fn create_service(&self, request: Request<pb::CreateServiceRequest>) -> Result<Response<pb::CreateServiceResponse>, Status> {
        write!(self, service::create, request, "CreateService")
    }

    async fn update_service(&self, request: Request<pb::UpdateServiceRequest>) -> Result<Response<pb::UpdateServiceResponse>, Status> {
        write!(self, service::update, request, "UpdateService")
    }

    async fn roll_back_service(
        &self,
        request: Request<pb::RollBackServiceRequest>,
    ) -> Result<Response<pb::RollBackServiceResponse>, Status> {
        write!(self, service::roll_back, request, "RollBackService")
    }

    async fn steer_update(&self, request: Request<pb::SteerUpdateRequest>) -> Result<Response<pb::SteerUpdateResponse>, Status> {
        write!(self, service::steer, request, "SteerUpdate")
    }

    async fn remove_service(&self, request: Request<pb::RemoveServiceRequest>) -> Result<Response<pb::RemoveServiceResponse>, Status> {
        write!(self, service::remove, request, "RemoveService")
    }

    async fn list_services(&self, request: Request<pb::ListServicesRequest>) -> Result<Response<pb::ListServicesResponse>, Status> {
        read!(self, service::list, request)
    }

    async fn create_network(&self, request: Request<pb::CreateNetworkRequest>) -> Result<Response<pb::CreateNetworkResponse>, Status> {
        write!(self, network::create, request, "CreateNetwork")
    }

    async fn remove_network(&self, request: Request<pb::RemoveNetworkRequest>) -> Result<Response<pb::RemoveNetworkResponse>, Status> {
        write!(self, network::remove, request, "RemoveNetwork")
    }

    async fn list_networks(&self, request: Request<pb::ListNetworksRequest>) -> Result<Response<pb::ListNetworksResponse>, Status> {
        read!(self, network::list, request)
    }

    async fn list_tasks(&self, request: Request<pb::ListTasksRequest>) -> Result<Response<pb::ListTasksResponse>, Status> {
        read!(self, task::list, request)
    }

    type WatchStream = BoxStream<'static, Result<pb::WatchResponse, Status>>;

    async fn watch(&self, request: Request<pb::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(watch::open(&self.core, &request.into_inner()).await?))
    }

    type LogsStream = BoxStream<'static, Result<pb::LogsResponse, Status>>;

    async fn logs(&self, request: Request<pb::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        Ok(Response::new(logs::open(&self.core, &request.into_inner()).await?))
    }
}

/// What a request must name, or the error that says so.
pub(crate) fn needed<T>(field: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| cluster_api::FieldError::new(field, "is missing").into())
}
