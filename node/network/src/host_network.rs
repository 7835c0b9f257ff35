//! The network of one host's containers: gives each an attachment and takes it back. One for each daemon; everything it makes is named
//! after the daemon's tag or lies under its directory, so that several daemons on one machine do not meet.
//!
//! A few namespaces are always prepared, so that a start does not wait for the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cluster_types::{PublishMode, PublishedPort, TaskId};
use tokio::sync::Mutex;

use crate::attachment::{Attachment, Ledger};
use crate::link::{self, Plug};
use crate::port::HeldPort;
use crate::rules::{self, Forward, LINK_PREFIX};
use crate::{NetworkError, Subnet, namespace, nft};

/// Namespaces that wait for a container.
const PREPARED: usize = 4;

/// How a host's network is set up.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// Up to 7 letters and digits that name this daemon on the machine.
    pub tag: String,
    /// Addresses of its containers.
    pub subnet: Subnet,
    /// Where its files are.
    pub dir: PathBuf,
}

/// The network of one host's containers. Clones share it.
#[derive(Clone)]
pub struct HostNetwork {
    shared: Arc<Shared>,
}

struct Shared {
    config: NetworkConfig,
    ledger: Ledger,
    handle: rtnetlink::Handle,
    state: Mutex<State>,
}

/// What is given and what waits. Its lock is held over the kernel's steps: they are short, and two containers must not get one address.
#[derive(Default)]
struct State {
    attached: BTreeMap<TaskId, Attachment>,
    held: BTreeMap<TaskId, Vec<HeldPort>>,
    prepared: Vec<u32>,
    used: BTreeSet<u32>,
    closed: bool,
}

impl HostNetwork {
    /// Takes over what an earlier life of the daemon left, removes what nobody owns, and writes the rules.
    ///
    /// # Errors
    /// When the kernel, `nft` or the directory cannot be used.
    pub async fn open(config: NetworkConfig) -> Result<Self, NetworkError> {
        let ledger = Ledger::open(config.dir.join("attachments"))?;
        std::fs::create_dir_all(config.dir.join("netns")).map_err(NetworkError::file("making the directory of namespaces"))?;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(NetworkError::file("turning IP forwarding on"))?;
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::kernel("opening netlink"))?;
        tokio::spawn(connection);
        let network = Self { shared: Arc::new(Shared { config, ledger, handle, state: Mutex::default() }) };
        {
            let mut state = network.shared.state.lock().await;
            network.adopt(&mut state)?;
            network.write_rules(&state).await?;
        }
        network.refill();
        Ok(network)
    }

    /// Gives a task its namespace, address and ports. Asked again, it gives the same.
    ///
    /// # Errors
    /// When a port is taken, no address is free, or the kernel refuses.
    pub async fn attach(&self, task: TaskId, ports: &[PublishedPort]) -> Result<Attachment, NetworkError> {
        let mut state = self.shared.state.lock().await;
        if let Some(attachment) = state.attached.get(&task) {
            return Ok(attachment.clone());
        }
        let held: Vec<HeldPort> =
            ports.iter().filter(|port| port.mode == PublishMode::Host).map(|port| HeldPort::take(*port)).collect::<Result<_, _>>()?;
        let index = match state.prepared.pop() {
            Some(index) => index,
            None => self.prepare(&mut state).await?,
        };
        let attachment =
            Attachment { netns: self.netns(index), address: self.address(index)?, ports: held.iter().map(|held| held.port).collect() };
        self.shared.ledger.save(task, &attachment)?;
        state.attached.insert(task, attachment.clone());
        if !held.is_empty() {
            state.held.insert(task, held);
            if let Err(error) = self.write_rules(&state).await {
                self.take_back(&mut state, task).await;
                return Err(error);
            }
        }
        drop(state);
        self.refill();
        Ok(attachment)
    }

    /// Takes back what a task was given. Nothing happens when it has nothing.
    ///
    /// # Errors
    /// When the rules cannot be written; the namespace is gone all the same.
    pub async fn detach(&self, task: TaskId) -> Result<(), NetworkError> {
        let mut state = self.shared.state.lock().await;
        if self.take_back(&mut state, task).await { self.write_rules(&state).await } else { Ok(()) }
    }

    /// Removes everything: no interface, rule or namespace of this daemon stays.
    pub async fn close(&self) {
        let mut state = self.shared.state.lock().await;
        state.closed = true;
        for task in state.attached.keys().copied().collect::<Vec<_>>() {
            self.take_back(&mut state, task).await;
        }
        for index in std::mem::take(&mut state.prepared) {
            self.destroy(index).await;
        }
        state.used.clear();
        let table = self.table();
        if let Err(error) = nft::apply(&format!("table ip {table}\ndelete table ip {table}\n")).await {
            tracing::warn!(%error, "the rules could not be removed");
        }
    }

    /// Whether ports had to be taken back with it.
    async fn take_back(&self, state: &mut State, task: TaskId) -> bool {
        if let Some(attachment) = state.attached.remove(&task) {
            self.shared.ledger.forget(task);
            if let Some(index) = self.shared.config.subnet.index(attachment.address) {
                self.destroy(index).await;
                state.used.remove(&index);
            }
        }
        state.held.remove(&task).is_some()
    }

    /// Ends a namespace and its link.
    async fn destroy(&self, index: u32) {
        link::unplug(&self.shared.handle, &self.link(index)).await;
        namespace::remove(&self.netns(index));
    }

    fn link(&self, index: u32) -> String {
        format!("{LINK_PREFIX}{}{index:x}", self.shared.config.tag)
    }

    /// Takes over recorded attachments whose namespace lives; every other namespace file goes.
    fn adopt(&self, state: &mut State) -> Result<(), NetworkError> {
        for (task, attachment) in self.shared.ledger.load()? {
            let index = self.shared.config.subnet.index(attachment.address);
            let Some(index) = index.filter(|_| namespace::is_alive(&attachment.netns)) else {
                namespace::remove(&attachment.netns);
                self.shared.ledger.forget(task);
                continue;
            };
            state.used.insert(index);
            let held = attachment.ports.iter().filter_map(|port| HeldPort::take(*port).ok()).collect::<Vec<_>>();
            if !attachment.ports.is_empty() {
                state.held.insert(task, held);
            }
            state.attached.insert(task, attachment);
        }
        let owned: BTreeSet<&Path> = state.attached.values().map(|attachment| attachment.netns.as_path()).collect();
        let files = std::fs::read_dir(self.shared.config.dir.join("netns")).map_err(NetworkError::file("reading the namespaces"))?;
        files.flatten().map(|file| file.path()).filter(|path| !owned.contains(path.as_path())).for_each(|path| namespace::remove(&path));
        Ok(())
    }

    /// Makes one more namespace and marks its address used.
    async fn prepare(&self, state: &mut State) -> Result<u32, NetworkError> {
        let subnet = self.shared.config.subnet;
        let index = (1..=subnet.size()).find(|index| !state.used.contains(index)).ok_or(NetworkError::NoAddress(subnet))?;
        let plug = Plug { link: self.link(index), address: self.address(index)? };
        namespace::create(self.netns(index), plug.clone()).await?;
        if let Err(error) = link::route(&self.shared.handle, &plug).await {
            self.destroy(index).await;
            return Err(error);
        }
        allow_loopback_clients(&plug.link);
        state.used.insert(index);
        Ok(index)
    }

    /// Prepares namespaces in the background until enough wait.
    fn refill(&self) {
        let network = self.clone();
        tokio::spawn(async move {
            loop {
                let mut state = network.shared.state.lock().await;
                if state.closed || state.prepared.len() >= PREPARED {
                    return;
                }
                match network.prepare(&mut state).await {
                    Ok(index) => state.prepared.insert(0, index),
                    Err(error) => {
                        tracing::warn!(%error, "no network namespace could be prepared");
                        return;
                    }
                }
            }
        });
    }

    async fn write_rules(&self, state: &State) -> Result<(), NetworkError> {
        let forwards: Vec<Forward> = state.attached.values().flat_map(forwards).collect();
        nft::apply(&rules::document(&self.table(), self.shared.config.subnet, &forwards)).await
    }

    fn table(&self) -> String {
        format!("cluster_{}", self.shared.config.tag)
    }

    fn netns(&self, index: u32) -> PathBuf {
        self.shared.config.dir.join("netns").join(index.to_string())
    }

    fn address(&self, index: u32) -> Result<std::net::Ipv4Addr, NetworkError> {
        self.shared.config.subnet.address(index).ok_or(NetworkError::NoAddress(self.shared.config.subnet))
    }
}

fn forwards(attachment: &Attachment) -> impl Iterator<Item = Forward> + '_ {
    attachment.ports.iter().map(|port| Forward {
        protocol: port.protocol,
        published: port.published,
        address: attachment.address,
        target: port.target,
    })
}

/// Lets 127.0.0.1 of this host reach a container through its published port. The rules drop 127.0.0.0/8 from everywhere else.
fn allow_loopback_clients(link: &str) {
    if let Err(error) = std::fs::write(format!("/proc/sys/net/ipv4/conf/{link}/route_localnet"), "1") {
        tracing::warn!(%error, link, "published ports will not answer on 127.0.0.1");
    }
}

#[cfg(test)]
mod tests;
