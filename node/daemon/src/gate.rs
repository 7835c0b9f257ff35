//! A door that services come and go behind: a daemon's ports stay open while its node becomes a manager, or is one no longer.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Service, ServiceExt as _};

/// The door. Clones lead to the same services.
#[derive(Clone)]
pub(crate) struct Gate {
    behind: Arc<RwLock<Option<Routes>>>,
    closed: fn() -> Status,
}

impl Gate {
    /// A closed door, which answers with `closed`.
    #[must_use]
    pub(crate) fn closed(closed: fn() -> Status) -> Self {
        Self { behind: Arc::default(), closed }
    }

    /// Puts services behind it.
    pub(crate) fn open(&self, routes: Routes) {
        *self.behind.write().unwrap_or_else(PoisonError::into_inner) = Some(routes);
    }

    /// Takes them away. Calls that are under way go on.
    pub(crate) fn close(&self) {
        *self.behind.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The door as a server takes it; `first` are services that are always there.
    #[must_use]
    pub(crate) fn routes(&self, first: Routes) -> Routes {
        Routes::from(first.into_axum_router().fallback_service(self.clone()))
    }
}

impl Service<Request<axum::body::Body>> for Gate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<axum::body::Body>) -> Self::Future {
        let behind = self.behind.read().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = self.closed;
        Box::pin(async move {
            let Some(routes) = behind else { return Ok(closed().into_http()) };
            match routes.oneshot(request.map(Body::new)).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(never) => Err(never),
            }
        })
    }
}
