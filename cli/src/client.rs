//! The requests of the commands: pages put together, references found, deadlines kept, suggestions for names that do not exist.

use std::future::Future;
use std::time::Duration;

use cluster_api::pb::control_client::ControlClient;
use cluster_api::pb::local_client::LocalClient;
use cluster_api::{FieldError, pb};
use cluster_types::{IdStream, RequestId, TaskId, TaskState};
use tonic::{Response, Status};

use crate::connect::{Connection, Host, connect};
use crate::failure::{Exit, Failure};
use crate::model::{NetworkView, NodeView, ServiceView, TaskView};
use crate::suggest;

/// No answer may take longer; what waits for the cluster has its own deadline.
const ANSWER: Duration = Duration::from_secs(20);

/// What the commands talk to.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    connection: Connection,
    host: Host,
}

impl Client {
    /// Connects.
    pub(crate) async fn open(host: &Host, identity: Option<&std::path::Path>) -> Result<Self, Failure> {
        Ok(Self { connection: connect(host, identity).await?, host: host.clone() })
    }

    /// The cluster.
    pub(crate) fn control(&self) -> ControlClient<Connection> {
        ControlClient::new(self.connection.clone())
    }

    /// The daemon of this host.
    pub(crate) fn local(&self) -> Result<LocalClient<Connection>, Failure> {
        match &self.host {
            Host::Socket(_) => Ok(LocalClient::new(self.connection.clone())),
            Host::Manager(address) => {
                Err(Failure::usage(format!("this command is for the daemon of a host, not for the manager at {address}"))
                    .fix("run it on that host, or name a socket: -H unix:///PATH"))
            }
        }
    }

    /// All nodes, or those that a reference means.
    pub(crate) async fn nodes(&self, reference: &str) -> Result<Vec<NodeView>, Failure> {
        pages(|page_token| async move {
            let request = pb::ListNodesRequest { reference: reference.to_owned(), page_token };
            let page = answer(self.control().list_nodes(request)).await?;
            Ok((page.nodes, page.next_page_token))
        })
        .await
    }

    /// The one node that a reference means.
    pub(crate) async fn node(&self, reference: &str) -> Result<NodeView, Failure> {
        match self.nodes(reference).await {
            Ok(found) => match only("node", reference, found) {
                Err(failure) => Err(self.suggest_node(reference, failure).await),
                found => found,
            },
            Err(failure) => Err(self.suggest_node(reference, failure).await),
        }
    }

    /// Adds the host names that were perhaps meant.
    pub(crate) async fn suggest_node(&self, reference: &str, failure: Failure) -> Failure {
        if failure.exit != Exit::NotFound {
            return failure;
        }
        let names = self.nodes("").await.unwrap_or_default().into_iter().map(|view| view.node.description.hostname).collect();
        suggest::name(failure, reference, names, "see all: cluster node ls")
    }

    /// All services, or those that a reference means.
    pub(crate) async fn services(&self, reference: &str) -> Result<Vec<ServiceView>, Failure> {
        pages(|page_token| async move {
            let request = pb::ListServicesRequest { reference: reference.to_owned(), page_token };
            let page = answer(self.control().list_services(request)).await?;
            Ok((page.services, page.next_page_token))
        })
        .await
    }

    /// The one service that a reference means.
    pub(crate) async fn service(&self, reference: &str) -> Result<ServiceView, Failure> {
        match self.services(reference).await {
            Ok(found) => match only("service", reference, found) {
                Err(failure) => Err(self.suggest_service(reference, failure).await),
                found => found,
            },
            Err(failure) => Err(self.suggest_service(reference, failure).await),
        }
    }

    /// Adds the service names that were perhaps meant.
    pub(crate) async fn suggest_service(&self, reference: &str, failure: Failure) -> Failure {
        if failure.exit != Exit::NotFound {
            return failure;
        }
        let names = self.services("").await.unwrap_or_default().iter().map(|view| view.name().to_owned()).collect();
        suggest::name(failure, reference, names, "see all: cluster service ls")
    }

    /// All networks, or those that a reference means.
    pub(crate) async fn networks(&self, reference: &str) -> Result<Vec<NetworkView>, Failure> {
        pages(|page_token| async move {
            let request = pb::ListNetworksRequest { reference: reference.to_owned(), page_token };
            let page = answer(self.control().list_networks(request)).await?;
            Ok((page.networks, page.next_page_token))
        })
        .await
    }

    /// The one network that a reference means.
    pub(crate) async fn network(&self, reference: &str) -> Result<NetworkView, Failure> {
        match self.networks(reference).await {
            Ok(found) => match only("network", reference, found) {
                Err(failure) => Err(self.suggest_network(reference, failure).await),
                found => found,
            },
            Err(failure) => Err(self.suggest_network(reference, failure).await),
        }
    }

    /// Adds the names of networks that were perhaps meant.
    pub(crate) async fn suggest_network(&self, reference: &str, failure: Failure) -> Failure {
        if failure.exit != Exit::NotFound {
            return failure;
        }
        let names = self.networks("").await.unwrap_or_default().iter().map(|view| view.name().to_owned()).collect();
        suggest::name(failure, reference, names, "see all: cluster network ls     or make it: cluster network create")
    }

    /// The tasks that a request asks for, all pages.
    pub(crate) async fn tasks(&self, request: pb::ListTasksRequest) -> Result<Vec<TaskView>, Failure> {
        pages(|page_token| {
            let request = pb::ListTasksRequest { page_token, ..request.clone() };
            async move {
                let page = answer(self.control().list_tasks(request)).await?;
                Ok((page.tasks, page.next_page_token))
            }
        })
        .await
    }

    /// All tasks of a service.
    pub(crate) async fn tasks_of(&self, service: &ServiceView) -> Result<Vec<TaskView>, Failure> {
        self.tasks(pb::ListTasksRequest { service: service.service.id.to_string(), ..Default::default() }).await
    }

    /// The tasks of a service that ended already: no failures of what comes next.
    pub(crate) async fn ended(&self, service: &ServiceView) -> Result<std::collections::BTreeSet<TaskId>, Failure> {
        let ended = |view: &TaskView| view.task.status.state > TaskState::Running;
        Ok(self.tasks_of(service).await?.iter().filter(|view| ended(view)).map(|view| view.task.id).collect())
    }

    /// The id of this host's node, for marks in lists; nothing when it cannot be known.
    pub(crate) async fn own_node(&self) -> String {
        let Ok(mut local) = self.local() else { return String::new() };
        answer(local.status(pb::StatusRequest {})).await.map(|status| status.node_id).unwrap_or_default()
    }
}

/// All pages of a list: `page` asks for the one that a token names, and says which comes next.
async fn pages<M, V, F>(page: impl Fn(String) -> F) -> Result<Vec<V>, Failure>
where
    V: TryFrom<M, Error = FieldError>,
    F: Future<Output = Result<(Vec<M>, String), Failure>>,
{
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (items, next) = page(token).await?;
        for item in items {
            all.push(V::try_from(item)?);
        }
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// The service of an answer.
pub(crate) fn answered(service: Option<pb::Service>) -> Result<ServiceView, Failure> {
    Ok(service.ok_or_else(|| FieldError::new("service", "is missing"))?.try_into()?)
}

/// The only one of what was found.
fn only<T>(noun: &str, reference: &str, mut found: Vec<T>) -> Result<T, Failure> {
    match (found.len(), found.pop()) {
        (1, Some(found)) => Ok(found),
        (0, _) | (_, None) => Err(cluster_api::ApiError::not_found(noun, reference).into()),
        (count, Some(_)) => Err(cluster_api::ApiError::ambiguous(noun, reference, count).into()),
    }
}

/// The answer to a request, within the time that an answer may take.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(status.into()),
        Err(_) => Err(Failure::new("E0504", format!("no answer within {} s", ANSWER.as_secs()))
            .exit(Exit::Timeout)
            .fix("see how it is: cluster status")),
    }
}

/// A new idempotency key.
pub(crate) fn request_id() -> String {
    let id: RequestId = IdStream::new(rand::random(), rand::random()).next_id();
    id.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_none_and_several_are_errors() {
        assert_eq!(only("node", "n1", vec![7]), Ok(7));
        assert_eq!(only::<u8>("node", "n1", vec![]).unwrap_err().exit, Exit::NotFound);
        assert_eq!(only("node", "n", vec![1, 2]).unwrap_err().what, "`n` means 2 nodes: give more characters of the id");
        assert_ne!(request_id(), request_id());
    }
}
