//! The network of one host's containers: gives each an attachment and takes it back, and makes the kernel carry out the network view. One
//! for each daemon; everything it makes is named after the daemon's tag or lies under its directory, so that several daemons on one
//! machine do not meet.
//!
//! The runtime attaches and detaches; the agent applies views and reads the report; the resolver asks who asks. `settle` brings the kernel
//! where the view wants it, `audit` looks every two seconds whether it still is there.

mod attach;
mod audit;
mod audit_rules;
mod open;
mod pool;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};

use cluster_types::{NetworkId, NodeNetwork, PublishedPort, TaskAddress, TaskId, Version, ViewItem, ViewItems};
use tokio::sync::{Mutex, Notify, watch};

use crate::attachment::{Attachment, Ledger, Record};
use crate::conntrack::{self, Which};
use crate::fabric::{Fabric, Underlay, kernel};
use crate::ingress::Ingress;
use crate::netfilter::Netfilter;
use crate::places::{MAIN_TABLE, Places, RESOLVER};
use crate::port::HeldPort;
use crate::rules::{Draft, Ruleset};
use crate::saved_view::SavedView;
use crate::{NetworkError, link, nft};
use audit_rules::Guard;
use pool::Prepared;

/// How a host's network is set up.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// Up to 7 letters and digits that name this daemon on the machine.
    pub tag: String,
    /// Where its files are.
    pub dir: PathBuf,
}

/// Who asks the resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The task.
    pub task: TaskId,
    /// The networks that it is in.
    pub networks: Vec<NetworkId>,
}

/// The network of one host's containers. Clones share it.
#[derive(Clone)]
pub struct HostNetwork {
    shared: Arc<Shared>,
}

struct Shared {
    config: NetworkConfig,
    places: Places,
    ledger: Ledger,
    saved: SavedView,
    /// The host's own network namespace.
    host: File,
    handle: rtnetlink::Handle,
    /// For the generation of the rules: never waits.
    rules: Netfilter,
    /// For the table of connections: may take a while.
    connections: Arc<Netfilter>,
    underlay: StdMutex<Option<Ipv4Addr>>,
    view: watch::Sender<Arc<ViewItems>>,
    askers: RwLock<BTreeMap<Ipv4Addr, Asker>>,
    /// Addresses whose task has none any more, and whose connections are not forgotten yet.
    leaving: StdMutex<BTreeMap<Ipv4Addr, TaskId>>,
    /// Held while they are.
    forgetting: Mutex<()>,
    report: watch::Sender<NodeNetwork>,
    /// Told when an address came free or a network became known.
    moved: Notify,
    state: Mutex<State>,
}

/// What is given, what waits, and what the kernel was told. Its lock is held over the kernel's steps: they are short, and two containers
/// must not get one link.
#[derive(Default)]
struct State {
    attached: BTreeMap<TaskId, Record>,
    held: BTreeMap<TaskId, Vec<HeldPort>>,
    prepared: Vec<Prepared>,
    used: BTreeSet<u32>,
    last: u32,
    ingress: Ingress,
    underlay: Option<Underlay>,
    rules: Draft,
    guard: Guard,
    fabric: Fabric,
    /// Whether `fabric` is what the kernel was told last.
    known: bool,
    /// Whether the kernel is where the view wants it.
    settled: bool,
    closed: bool,
}

impl HostNetwork {
    /// Applies a whole view: the kernel is where it wants it when this returns, and all rules change at one instant. Cheap when nothing
    /// changed.
    ///
    /// # Errors
    /// When the kernel refuses something; the rest is done, and the audit tries again.
    pub async fn apply(&self, items: &ViewItems, version: Version) -> Result<(), NetworkError> {
        let mut state = self.shared.state.lock().await;
        if state.closed {
            return Err(NetworkError::Closed);
        }
        let old = self.view();
        let same = *old == *items;
        if same && state.settled && state.underlay.as_ref().map(|underlay| underlay.address) == self.underlay() {
            return Ok(());
        }
        let mut saving = None;
        if !same {
            let view = Arc::new(items.clone());
            self.shared.view.send_replace(Arc::clone(&view));
            let network = self.clone();
            // While the kernel is told: with thousands of services, either takes some time.
            let save = move || network.shared.saved.save(version, network.underlay(), &view);
            saving = Some(tokio::task::spawn_blocking(save));
        }
        let result = self.settle(&mut state).await;
        if let Some(saving) = saving
            && let Err(error) = saving.await.unwrap_or_else(|error| Err(NetworkError::kernel("saving the network view")(error)))
        {
            // Traffic is not held up by a full disk.
            tracing::warn!(%error, "the network view is not on disk");
        }
        drop(state);
        self.shared.moved.notify_waiters();
        self.forget_connections(gone(&old, items), Which::LedByUdp).await;
        result
    }

    /// Says where the other hosts' packets come to. The daemon calls it before it applies views.
    pub fn set_underlay(&self, address: Ipv4Addr) {
        *self.shared.underlay.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// What the node says of its data path.
    #[must_use]
    pub fn report(&self) -> watch::Receiver<NodeNetwork> {
        self.shared.report.subscribe()
    }

    /// Which task has an address, and in which networks it is.
    #[must_use]
    pub fn asker(&self, address: Ipv4Addr) -> Option<Asker> {
        self.shared.askers.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }

    /// The view that is applied.
    #[must_use]
    pub fn view(&self) -> Arc<ViewItems> {
        Arc::clone(&self.shared.view.borrow())
    }

    /// Removes everything: no interface, rule, route or namespace of this daemon stays.
    pub async fn close(&self) {
        let mut state = self.shared.state.lock().await;
        state.closed = true;
        let used: Vec<String> = state.used.iter().map(|index| self.link(*index)).collect();
        for task in state.attached.keys().copied().collect::<Vec<_>>() {
            self.take_back(&mut state, task).await;
        }
        for prepared in std::mem::take(&mut state.prepared) {
            self.destroy(&mut state, prepared.index).await;
        }
        for link in used {
            link::unplug(&self.shared.handle, &link).await;
        }
        state.ingress.clear();
        self.shared.saved.forget();
        let empty = Ruleset { table: self.shared.places.table.clone(), ..Ruleset::default() };
        if let Err(error) = nft::apply(&empty.document()).await {
            tracing::warn!(%error, "the rules could not be removed");
        }
        if let Err(error) = self.tear_down().await {
            tracing::warn!(%error, "the overlay could not be removed");
        }
    }

    /// Takes away what the kernel has of ours beside rules and containers.
    async fn tear_down(&self) -> Result<(), NetworkError> {
        let (handle, places) = (&self.shared.handle, &self.shared.places);
        let seen = kernel::see(handle, places).await?;
        let all = crate::fabric::difference(&seen.fabric.entries, &BTreeSet::new());
        kernel::carry_out(handle, places, &all).await?;
        kernel::settle_device(handle, places, &seen, None).await?;
        let loopback = kernel::link_index(handle, "lo").await?;
        kernel::remove_address(handle, loopback, RESOLVER).await;
        Ok(())
    }

    fn underlay(&self) -> Option<Ipv4Addr> {
        *self.shared.underlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets connections without keeping a thread of the caller's; a failure is only logged.
    async fn forget_connections(&self, addresses: BTreeSet<Ipv4Addr>, which: Which) {
        if addresses.is_empty() {
            return;
        }
        let connections = Arc::clone(&self.shared.connections);
        match tokio::task::spawn_blocking(move || conntrack::flush(&connections, &addresses, which)).await {
            Ok(Ok(count)) => tracing::debug!(count, "connections of ended containers were forgotten"),
            Ok(Err(error)) => tracing::debug!(%error, "connections of ended containers could not be forgotten"),
            Err(error) => tracing::debug!(%error, "connections of ended containers could not be forgotten"),
        }
    }
}

/// Addresses that took traffic in one view and do not in the next.
fn gone(old: &ViewItems, new: &ViewItems) -> BTreeSet<Ipv4Addr> {
    let mut gone = BTreeSet::new();
    for (key, item) in old {
        let now = new.get(key);
        if now != Some(item) {
            let kept: BTreeSet<Ipv4Addr> = now.map(|item| endpoints(item).collect()).unwrap_or_default();
            gone.extend(endpoints(item).filter(|address| !kept.contains(address)));
        }
    }
    gone
}

fn endpoints(item: &ViewItem) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let networks = if let ViewItem::Service(service) = item { service.networks.as_slice() } else { &[] };
    networks.iter().flat_map(|network| &network.endpoints).map(|endpoint| endpoint.address)
}

#[cfg(test)]
mod tests;
