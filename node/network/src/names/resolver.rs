//! What both loops share: who asks, the names of the latest view, and how much is under way.

use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use cluster_types::{NetworkId, ViewItems};

use super::directory::Directory;
use super::forward::{self, Transport};
use super::limiter::Limiter;
use super::reply::Reply;
use super::upstreams::Upstreams;
use super::verdict::{Asker, Verdict, judge};

/// Questions that wait for the host's resolvers.
const FORWARDS: usize = 256;
/// Open TCP connections.
const CONNECTIONS: usize = 64;

/// Tells which networks an address is in and what the view is.
pub(super) type Lookup = dyn Fn(Ipv4Addr) -> Option<(Vec<NetworkId>, Arc<ViewItems>)> + Send + Sync;

/// What both loops share.
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    upstreams: Upstreams,
    /// Places of questions that are passed on.
    pub(super) forwards: Limiter,
    /// Places of connections.
    pub(super) connections: Limiter,
    sorted: Mutex<Option<(Arc<ViewItems>, Arc<Directory>)>>,
}

impl Resolver {
    pub(super) fn new(lookup: Arc<Lookup>, upstreams: Upstreams) -> Self {
        let (forwards, connections) = (Limiter::new(FORWARDS), Limiter::new(CONNECTIONS));
        Self { lookup, upstreams, forwards, connections, sorted: Mutex::default() }
    }

    /// What to do with a query. Bytes of strangers are read by a library: should it fail, this query is lost, not the name service.
    pub(super) fn judge(&self, asker: Ipv4Addr, query: &[u8]) -> Verdict {
        catch_unwind(AssertUnwindSafe(|| self.decide(asker, query))).unwrap_or_else(|_| {
            tracing::error!(%asker, "a query made the name service fail");
            Verdict::Ignore
        })
    }

    fn decide(&self, asker: Ipv4Addr, query: &[u8]) -> Verdict {
        let Some((networks, items)) = (self.lookup)(asker) else { return judge(query, None) };
        let directory = self.directory(items);
        judge(query, Some(Asker { networks: &networks, directory: &directory }))
    }

    /// The names of a view, sorted when it is new.
    fn directory(&self, items: Arc<ViewItems>) -> Arc<Directory> {
        let mut sorted = self.sorted.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sorted {
            Some((known, directory)) if Arc::ptr_eq(known, &items) => Arc::clone(directory),
            _ => {
                let directory = Arc::new(Directory::of(&items));
                *sorted = Some((items, Arc::clone(&directory)));
                directory
            }
        }
    }

    /// What the host's resolvers say; none when they say nothing. `failure` repeats the question.
    pub(super) async fn forward(&self, query: &[u8], failure: &Reply, transport: Transport) -> Option<Vec<u8>> {
        forward::forward(query, failure.question()?, &self.upstreams.current(), transport).await
    }
}
