//! The guard: the layer around every server that decides, by the table in `callers`, whether a request may pass, and tells handlers who
//! calls. A node that the cluster no longer knows is refused whatever its certificate says (failures D12, H11).

use std::sync::Arc;
use std::task::{Context, Poll};

use cluster_types::NodeId;
use http::{Request, Response};
use tonic::Status;
use tower::{Layer, Service};

use crate::caller::{Caller, FORWARDED};
use crate::callers::{CallerKind, allowed};
use crate::incoming::Peer;

/// Whether the cluster still knows a node. Asked for every request that comes with a certificate.
pub type Admit = Arc<dyn Fn(NodeId) -> bool + Send + Sync>;

/// Puts a [`Guard`] around a service.
#[derive(Clone)]
pub struct GuardLayer {
    admit: Admit,
}

impl GuardLayer {
    /// A guard that asks `admit` whether a node is still known.
    #[must_use]
    pub fn new(admit: Admit) -> Self {
        Self { admit }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, admit: Arc::clone(&self.admit) }
    }
}

/// Lets a request through or answers it with a refusal.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    admit: Admit,
}

impl<S> Guard<S> {
    fn judge<B>(&self, request: &Request<B>) -> Result<Caller, Status> {
        let direct = Caller::from_peer(request.extensions().get::<Peer>());
        if direct.node.is_some_and(|node| !(self.admit)(node)) {
            return Err(Status::permission_denied("this node was removed from the cluster: leave and join again"));
        }
        let caller = match request.headers().get(FORWARDED) {
            Some(value) if direct.kind == CallerKind::Manager => {
                let named = value.to_str().ok().and_then(Caller::from_forwarded);
                named.ok_or_else(|| Status::permission_denied("the forwarded caller cannot be read"))?
            }
            Some(_) | None => direct,
        };
        let path = request.uri().path();
        if allowed(path, caller.kind) { Ok(caller) } else { Err(refusal(path, caller)) }
    }
}

fn refusal(path: &str, caller: Caller) -> Status {
    match caller.kind {
        CallerKind::Anyone => Status::unauthenticated(format!("{path} needs a certificate of this cluster")),
        kind @ (CallerKind::Worker | CallerKind::Manager | CallerKind::Operator) => {
            Status::permission_denied(format!("{path} is not for a caller of kind {kind:?}"))
        }
    }
}

impl<S, B, R> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.judge(&request) {
            Ok(caller) => {
                request.headers_mut().remove(FORWARDED);
                request.extensions_mut().insert(caller);
                Box::pin(self.inner.call(request))
            }
            Err(status) => {
                let response = status.into_http();
                Box::pin(async move { Ok(response) })
            }
        }
    }
}
