//! The service of the unix socket: what the user of this host asks of its daemon.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cluster_agent::Presence;
use cluster_api::pb::local_server::LocalServer;
use cluster_api::{ApiError, pb};
use cluster_image::{ImageError, ImageStore};
use cluster_types::ImageRef;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::daemon::Daemon;
use crate::error::DaemonError;
use crate::images::{self, Downloads, Pieces};
use crate::join::Checked;
use crate::member::Member;
use crate::{init, join, leave, machine};

/// Messages that may wait for a slow reader.
const WAITING: usize = 16;

/// The service.
pub(crate) struct Local {
    daemon: Arc<Daemon>,
}

impl Local {
    /// The service as a server takes it.
    pub(crate) fn routes(daemon: Arc<Daemon>) -> Routes {
        Routes::new(LocalServer::new(Self { daemon }).max_decoding_message_size(cluster_types::limits::MESSAGE_BYTES))
    }

    fn images(&self) -> Result<&ImageStore, DaemonError> {
        self.daemon.host.containers.images.as_ref().ok_or(DaemonError::NoImages)
    }
}

#[tonic::async_trait]
impl pb::local_server::Local for Local {
    type JoinStream = ReceiverStream<Result<pb::JoinResponse, Status>>;
    type PullImageStream = ReceiverStream<Result<pb::PullImageResponse, Status>>;

    async fn status(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        let containers = self.daemon.host.containers.runtime.list().await.map_or(0, |list| list.len());
        let mut status = pb::StatusResponse {
            hostname: machine::hostname(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            containers: u32::try_from(containers).unwrap_or(u32::MAX),
            runtime: format!("{:?}", self.daemon.host.config.runtime).to_lowercase(),
            ..pb::StatusResponse::default()
        };
        if let Some(member) = self.daemon.member.lock().await.as_ref() {
            describe(member, &mut status);
        }
        Ok(Response::new(status))
    }

    async fn init(&self, request: Request<pb::InitRequest>) -> Result<Response<pb::InitResponse>, Status> {
        let mut slot = self.daemon.member.lock().await;
        if slot.is_some() {
            return Err(DaemonError::AlreadyMember.into());
        }
        let (member, response) = init::init(&self.daemon.host, request.into_inner()).await?;
        *slot = Some(member);
        self.daemon.membership_changed();
        Ok(Response::new(response))
    }

    async fn join(&self, request: Request<pb::JoinRequest>) -> Result<Response<Self::JoinStream>, Status> {
        let (tell, told) = mpsc::channel(WAITING);
        let (daemon, request) = (Arc::clone(&self.daemon), request.into_inner());
        // A task of its own: a client that goes away does not leave a node half-joined.
        tokio::spawn(async move {
            let outcome = enter(&daemon, &request, &tell).await;
            let _ = tell.send(outcome.map_err(Status::from)).await;
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn leave(&self, request: Request<pb::LeaveRequest>) -> Result<Response<pb::LeaveResponse>, Status> {
        let (daemon, force) = (Arc::clone(&self.daemon), request.into_inner().force);
        let left = tokio::spawn(async move {
            let mut slot = daemon.member.lock().await;
            let member = slot.take().ok_or(DaemonError::NoMember)?;
            let result = leave::leave(&daemon.host, member, force).await;
            let result = result.map_err(|(member, error)| {
                *slot = Some(*member);
                error
            });
            daemon.membership_changed();
            result
        });
        left.await.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(pb::LeaveResponse {}))
    }

    async fn import_image(&self, request: Request<Streaming<pb::ImportImageRequest>>) -> Result<Response<pb::ImportImageResponse>, Status> {
        let images = self.images()?.clone();
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.ok_or_else(|| Status::invalid_argument("the archive is empty"))?;
        let name = Some(first.name).filter(|name| !name.is_empty());
        let (send, receive) = mpsc::channel(WAITING);
        let _ = send.send(Ok(Bytes::from(first.piece))).await;
        let feeding = async move {
            loop {
                let piece = match incoming.message().await {
                    Ok(Some(message)) => Ok(Bytes::from(message.piece)),
                    Ok(None) => return,
                    Err(status) => Err(io::Error::other(status.message().to_owned())),
                };
                if send.send(piece).await.is_err() {
                    return;
                }
            }
        };
        let (imported, ()) = tokio::join!(images.import(Pieces::new(receive), name.as_deref()), feeding);
        let imported = imported.map_err(refusal)?;
        Ok(Response::new(pb::ImportImageResponse { images: imported.iter().map(images::image).collect() }))
    }

    async fn pull_image(&self, request: Request<pb::PullImageRequest>) -> Result<Response<Self::PullImageStream>, Status> {
        let (images, request) = (self.images()?.clone(), request.into_inner());
        let reference: ImageRef = request.reference.parse().map_err(|error: cluster_types::image::InvalidImageRef| {
            Status::from(ApiError::invalid(vec![cluster_api::FieldError::new("reference", error.to_string())]))
        })?;
        let credentials = request.credentials.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()));
        let (tell, told) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let (progress, downloads) = (tell.clone(), Mutex::new(Downloads::default()));
            let pulled = images.pull(&reference, credentials, move |step| {
                let (done, total) = downloads.lock().unwrap_or_else(PoisonError::into_inner).take(step);
                // A step that a slow reader misses is made up by the next one.
                let _ = progress.try_send(Ok(pb::PullImageResponse { done, total, image: None }));
            });
            let last = pulled.await.map_err(refusal).map(|image| {
                let size = image.size;
                pb::PullImageResponse { done: size, total: size, image: Some(images::image(&image)) }
            });
            let _ = tell.send(last).await;
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn list_images(&self, _: Request<pb::ListImagesRequest>) -> Result<Response<pb::ListImagesResponse>, Status> {
        let images = self.images()?.list().iter().map(images::image).collect();
        Ok(Response::new(pb::ListImagesResponse { images }))
    }

    async fn remove_image(&self, request: Request<pb::RemoveImageRequest>) -> Result<Response<pb::RemoveImageResponse>, Status> {
        let removed = self.images()?.remove(&request.get_ref().reference).await.map_err(refusal)?;
        let removed = removed.names.into_iter().chain(removed.digests).collect();
        Ok(Response::new(pb::RemoveImageResponse { removed }))
    }
}

async fn enter(
    daemon: &Daemon,
    request: &pb::JoinRequest,
    tell: &mpsc::Sender<Result<pb::JoinResponse, Status>>,
) -> Result<pb::JoinResponse, DaemonError> {
    let mut slot = daemon.member.lock().await;
    if slot.is_some() {
        return Err(DaemonError::AlreadyMember);
    }
    let say = |check: &str, checked: Checked| {
        let (result, skipped) = match checked {
            Checked::Passed(result) => (result, false),
            Checked::Skipped(result) => (result, true),
        };
        let line = pb::JoinResponse { check: check.to_owned(), result, skipped, ..pb::JoinResponse::default() };
        let _ = tell.try_send(Ok(line));
    };
    let member = join::join(&daemon.host, request, &say).await?;
    let identity = member.credentials.identity();
    *slot = Some(member);
    daemon.membership_changed();
    let role = pb::Role::from(identity.role).into();
    Ok(pb::JoinResponse { node_id: identity.node.to_string(), role, ..pb::JoinResponse::default() })
}

fn describe(member: &Member, status: &mut pb::StatusResponse) {
    let identity = member.credentials.identity();
    status.node_id = identity.node.to_string();
    status.cluster_id = identity.cluster.to_string();
    status.role = pb::Role::from(identity.role).into();
    status.advertise_address = member.identity.advertise.to_string();
    status.manager_addresses = member.managers();
    status.certificate_expires_ms = u64::try_from(identity.not_after).unwrap_or_default().saturating_mul(1000);
    let agent = member.agent.status();
    match agent.presence {
        Presence::Open { manager, .. } => {
            status.session_open = true;
            status.leader_address = manager;
        }
        Presence::Searching => status.trouble = agent.trouble.unwrap_or_default(),
        Presence::Removed { reason } => status.trouble = reason,
    }
    if let Some(raft) = member.raft() {
        let leadership = raft.leadership();
        let leadership = leadership.borrow();
        status.is_leader = leadership.is_self_and_ready;
        status.leader_address = leadership.leader.map(|(_, address)| address.to_string()).unwrap_or_default();
    }
}

fn refusal(error: ImageError) -> Status {
    Status::from(images::refusal(&error))
}
