//! Brings requests to the leader: a manager that does not lead passes the raw request on, with the caller's identity, and tries again for a
//! short while when the leader changes.
//!
//! A request gets a key before its first try, so that a try whose answer was lost does not apply twice (failures A1, A2). Without a leader
//! reads are answered from this manager's own state, marked as stale; the rest ends with the reason (failures A14).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cluster_api::caller::FORWARDED;
use cluster_api::callers::CallerKind;
use cluster_api::status::code;
use cluster_api::{ApiError, Caller};
use cluster_types::limits::MESSAGE_BYTES;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;

use crate::core::{Core, Leader};
use crate::request::{Key, REQUEST_HEADER};

/// How long a request waits for a leader. With the last try it ends within 2 s.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Pause between two tries while nothing changes.
const PAUSE: Duration = Duration::from_millis(50);
/// Until a leader that was asked must begin to answer; after that it may be frozen or cut off.
const TRY: Duration = Duration::from_millis(1_500);
/// The same for the methods that wait for other managers.
const LONG_TRY: Duration = Duration::from_secs(15);
/// In a request that another manager passed on: it goes no further.
const HOP: &str = "cluster-hop";
/// In every error of the domain (`cluster_api::status`).
const CODE_HEADER: &str = "cluster-code";
/// A frame has five bytes before the message.
const BODY_BYTES: usize = MESSAGE_BYTES + 5;

/// Where a method is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Here.
    Here,
    /// By the leader.
    Leader,
    /// By the leader, or here from what may be old.
    LeaderOrStale,
    /// By the leader, who may take its time.
    LeaderAtLength,
}

/// The place of the method at `path`. Methods of services that are not wrapped never ask.
fn place(path: &str) -> Place {
    match path {
        "/cluster.v1.Control/GetCluster"
        | "/cluster.v1.Control/ListNodes"
        | "/cluster.v1.Control/ListServices"
        | "/cluster.v1.Control/ListTasks" => Place::LeaderOrStale,
        "/cluster.v1.Control/UpdateNode" | "/cluster.v1.Control/RemoveNode" | "/cluster.v1.Raft/Seat" => Place::LeaderAtLength,
        "/cluster.v1.Ca/Issue" | "/cluster.v1.Ca/Renew" | "/cluster.v1.Dispatcher/Leave" => Place::Leader,
        path if path.starts_with("/cluster.v1.Control/") => Place::Leader,
        _ => Place::Here,
    }
}

/// Puts forwarding around a generated server.
#[derive(Clone)]
pub(crate) struct Forward<S> {
    inner: S,
    core: Arc<Core>,
}

impl<S> Forward<S> {
    pub(crate) fn new(core: &Arc<Core>, inner: S) -> Self {
        Self { inner, core: Arc::clone(core) }
    }
}

impl<S: NamedService> NamedService for Forward<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Forward<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let place = place(request.uri().path());
        if place == Place::Here {
            return Box::pin(self.inner.call(request));
        }
        let (inner, core) = (self.inner.clone(), Arc::clone(&self.core));
        Box::pin(async move {
            let answer = match Held::hold(request).await {
                Ok(held) => held.bring(place, &core, inner).await,
                Err(status) => Err(status),
            };
            Ok(answer.unwrap_or_else(Status::into_http))
        })
    }
}

/// A request that can be tried again.
struct Held {
    head: http::request::Parts,
    body: Bytes,
}

impl Held {
    /// Reads the whole request, and gives it a key.
    async fn hold(request: Request<Body>) -> Result<Self, Status> {
        let (mut head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES).collect().await;
        let body = body.map_err(|error| Status::resource_exhausted(format!("the request cannot be read: {error}")))?.to_bytes();
        if !head.headers.contains_key(REQUEST_HEADER) {
            let key = HeaderValue::from_str(&Key::random().request().to_string());
            head.headers.insert(REQUEST_HEADER, key.map_err(|error| Status::internal(error.to_string()))?);
        }
        Ok(Self { head, body })
    }

    /// Tries until somebody answered or there is no more time.
    async fn bring<S>(self, place: Place, core: &Arc<Core>, inner: S) -> Result<Response<Body>, Status>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    {
        let hopped = self.head.headers.contains_key(HOP);
        let until = Instant::now() + core.patience(PATIENCE);
        let mut leadership = core.raft.leadership();
        loop {
            match core.leader() {
                Leader::Here => {
                    let answer = call_here(inner.clone(), self.request()).await;
                    if !lost_leader(&answer) {
                        return Ok(answer);
                    }
                }
                Leader::At(address) if !hopped => match self.pass_on(place, core, address).await {
                    Ok(answer) if !lost_leader(&answer) => return Ok(answer),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%address, %error, "the leader did not take a request"),
                },
                Leader::At(_) | Leader::Nobody => {}
            }
            if hopped || Instant::now() >= until {
                core.waited_in_vain();
                return self.without_leader(place, core, inner).await;
            }
            // Whatever comes first: another leader, or the time for another try with the same one.
            drop(tokio::time::timeout(PAUSE, leadership.changed()).await);
        }
    }

    /// The last resort: a read of what this manager has, or the reason why there is no answer.
    async fn without_leader<S>(&self, place: Place, core: &Core, inner: S) -> Result<Response<Body>, Status>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    {
        match place {
            Place::LeaderOrStale if !self.head.headers.contains_key(HOP) => Ok(call_here(inner, self.request()).await),
            Place::LeaderOrStale | Place::Leader | Place::LeaderAtLength | Place::Here => Err(core.no_leader().await.into()),
        }
    }

    async fn pass_on(&self, place: Place, core: &Core, address: SocketAddr) -> Result<Response<Body>, String> {
        let mut request = self.request();
        let caller = caller(&request);
        let value = HeaderValue::from_str(&caller.forwarded()).map_err(|error| error.to_string())?;
        request.headers_mut().insert(FORWARDED, value);
        request.headers_mut().insert(HOP, HeaderValue::from_static("1"));
        *request.extensions_mut() = http::Extensions::new();
        let mut channel = core.channel(address).map_err(|error| error.to_string())?;
        let patience = if place == Place::LeaderAtLength { LONG_TRY } else { core.patience(TRY) };
        let calling = async {
            std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
            channel.call(request).await
        };
        match tokio::time::timeout(patience, calling).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it did not begin to answer within {} ms", patience.as_millis())),
        }
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::new(Full::new(self.body.clone())));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.version_mut() = self.head.version;
        *request.headers_mut() = self.head.headers.clone();
        *request.extensions_mut() = self.head.extensions.clone();
        request
    }
}

/// The caller that the guard has seen. Without a guard nobody is trusted.
fn caller(request: &Request<Body>) -> Caller {
    request.extensions().get().copied().unwrap_or(Caller { kind: CallerKind::Anyone, node: None })
}

async fn call_here<S>(mut inner: S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    match inner.call(request).await {
        Ok(answer) => answer,
    }
}

/// Whether an answer only says that its manager does not lead, or is not ready, or no longer.
fn lost_leader(answer: &Response<Body>) -> bool {
    let Some(status) = Status::from_header_map(answer.headers()) else { return false };
    match status.code() {
        Code::Unavailable => ApiError::from(&status).code == code::NO_LEADER,
        // The domain's errors have a code of their own; this is the refusal of a port or a stream without its manager.
        Code::FailedPrecondition => !status.metadata().contains_key(CODE_HEADER),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_api::callers::TABLE;

    #[test]
    fn every_control_method_goes_to_the_leader_and_sessions_stay() {
        for (path, _) in TABLE {
            let here = place(path) == Place::Here;
            let expected = !path.contains(".Control/")
                && !["Ca/Issue", "Ca/Renew", "Raft/Seat", "Dispatcher/Leave"].iter().any(|end| path.ends_with(end));
            assert_eq!(here, expected, "{path}");
        }
    }
}
