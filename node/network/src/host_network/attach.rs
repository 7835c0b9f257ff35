//! Gives a task its namespace, addresses and ports, and takes them back.

use std::time::Duration;

use cluster_types::{PublishMode, Subnet, ViewKey};
use tokio::time::Instant;

use super::*;
use crate::fabric::{Entry, Operation, Target, desired};
use crate::{link, namespace};

/// How long an address may still be another task's, and a network unknown.
const PATIENCE: Duration = Duration::from_secs(5);

impl HostNetwork {
    /// Gives a task its namespace, with its addresses and host-mode ports. Asked again, it gives the same.
    ///
    /// # Errors
    /// When a port is taken, an address is another task's or a network unknown and stays so for some seconds, or the kernel refuses.
    pub async fn attach(&self, task: TaskId, addresses: &[TaskAddress], ports: &[PublishedPort]) -> Result<Attachment, NetworkError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let moved = self.shared.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let mut state = self.shared.state.lock().await;
            if let Some(record) = state.attached.get(&task) {
                return Ok(record.attachment.clone());
            }
            match self.ready(&state, addresses) {
                Ok(subnets) => {
                    let result = self.give(&mut state, task, addresses, &subnets, ports).await;
                    drop(state);
                    self.refill();
                    return result;
                }
                Err(error) if state.closed || Instant::now() >= deadline => return Err(error),
                Err(_) => drop(state),
            }
            let _ = tokio::time::timeout_at(deadline, moved).await;
        }
    }

    /// Takes back what a task was given. Nothing happens when it has nothing. Its connections are forgotten soon after; until then no task
    /// of this host is given its addresses.
    ///
    /// # Errors
    /// When the rules cannot be written; the namespace is gone all the same.
    pub async fn detach(&self, task: TaskId) -> Result<(), NetworkError> {
        let mut state = self.shared.state.lock().await;
        let addresses = state.attached.get(&task).map(|record| record.attachment.addresses.clone()).unwrap_or_default();
        self.leaving().extend(addresses.iter().map(|has| (has.address, task)));
        let had_ports = self.take_back(&mut state, task).await;
        if !addresses.is_empty() {
            self.forget_leaving();
        }
        if had_ports { self.write_rules(&mut state).await } else { Ok(()) }
    }

    /// In the background: the kernel takes its time. One after another, so that those that end meanwhile go together.
    fn forget_leaving(&self) {
        let network = self.clone();
        tokio::spawn(async move {
            let _turn = network.shared.forgetting.lock().await;
            let gone: BTreeSet<Ipv4Addr> = network.leaving().keys().copied().collect();
            network.forget_connections(gone.clone(), Which::Ongoing).await;
            network.leaving().retain(|address, _| !gone.contains(address));
            network.shared.moved.notify_waiters();
        });
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, BTreeMap<Ipv4Addr, TaskId>> {
        self.shared.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all is there that a task with these addresses needs: the subnets of its further networks.
    pub(super) fn ready(&self, state: &State, addresses: &[TaskAddress]) -> Result<Vec<Subnet>, NetworkError> {
        if state.closed {
            return Err(NetworkError::Closed);
        }
        for TaskAddress { address, .. } in addresses {
            let owner = self.asker(*address).map(|asker| asker.task);
            if let Some(task) = owner.or_else(|| self.leaving().get(address).copied()) {
                return Err(NetworkError::AddressTaken { address: *address, task });
            }
        }
        let view = self.view();
        let subnet = |has: &TaskAddress| match view.get(&ViewKey::Network(has.network)).map(|item| &**item) {
            Some(ViewItem::Network(network)) => Ok(network.subnet),
            _ => Err(NetworkError::UnknownNetwork(has.network)),
        };
        addresses.iter().skip(1).map(subnet).collect()
    }

    async fn give(
        &self,
        state: &mut State,
        task: TaskId,
        addresses: &[TaskAddress],
        subnets: &[Subnet],
        ports: &[PublishedPort],
    ) -> Result<Attachment, NetworkError> {
        let held = ports.iter().filter(|port| port.mode == PublishMode::Host).map(|port| HeldPort::take(*port));
        let held: Vec<HeldPort> = held.collect::<Result<_, _>>()?;
        let prepared = match state.prepared.pop() {
            Some(prepared) => prepared,
            None => self.prepare(state).await?,
        };
        let index = prepared.index;
        let attachment =
            Attachment { netns: self.netns(index), addresses: addresses.to_vec(), ports: held.iter().map(|held| held.port).collect() };
        let record = Record { index, attachment: attachment.clone() };
        self.remember(task, addresses);
        state.attached.insert(task, record.clone());
        let has_ports = !held.is_empty();
        if has_ports {
            state.held.insert(task, held);
        }
        let mut result = self.equip(state, &prepared.inside, &record, subnets).await;
        if has_ports && result.is_ok() {
            result = self.write_rules(state).await;
        }
        if let Err(error) = result.and_then(|()| self.shared.ledger.save(task, &record)) {
            self.take_back(state, task).await;
            return Err(error);
        }
        Ok(attachment)
    }

    /// Inside its addresses, on the host the routes to them.
    pub(super) async fn equip(
        &self,
        state: &mut State,
        inside: &rtnetlink::Handle,
        record: &Record,
        subnets: &[Subnet],
    ) -> Result<(), NetworkError> {
        let mtu = pool::mtu(state);
        link::give(inside, mtu, &record.attachment.addresses, subnets).await?;
        link::raise(&self.shared.handle, &self.link(record.index), mtu).await?;
        let routes = self.routes(record);
        let puts: Vec<Operation> = routes.iter().cloned().map(Operation::Put).collect();
        kernel::carry_out(&self.shared.handle, &self.shared.places, &puts).await?;
        state.fabric.entries.extend(routes);
        Ok(())
    }

    /// The host's routes to a container.
    pub(super) fn routes(&self, record: &Record) -> Vec<Entry> {
        let link = self.link(record.index);
        let route = |has: &TaskAddress| Entry::Route {
            table: MAIN_TABLE,
            destination: desired::host(has.address),
            target: Target::Container(link.clone()),
        };
        record.attachment.addresses.iter().map(route).collect()
    }

    /// Whether ports had to be taken back with it.
    pub(super) async fn take_back(&self, state: &mut State, task: TaskId) -> bool {
        if let Some(record) = state.attached.remove(&task) {
            self.shared.ledger.forget(task);
            // Its routes go with its link.
            for route in self.routes(&record) {
                state.fabric.entries.remove(&route);
            }
            self.destroy(state, record.index).await;
            let mut askers = self.shared.askers.write().unwrap_or_else(PoisonError::into_inner);
            askers.retain(|_, asker| asker.task != task);
        }
        state.held.remove(&task).is_some()
    }

    pub(super) fn remember(&self, task: TaskId, addresses: &[TaskAddress]) {
        let asker = Asker { task, networks: addresses.iter().map(|has| has.network).collect() };
        let mut askers = self.shared.askers.write().unwrap_or_else(PoisonError::into_inner);
        askers.extend(addresses.iter().map(|has| (has.address, asker.clone())));
    }

    /// Plugs a container in again whose link somebody took away.
    pub(super) async fn plug_again(&self, state: &mut State, task: TaskId) -> Result<(), NetworkError> {
        let Some(record) = state.attached.get(&task).cloned() else { return Ok(()) };
        let subnets = {
            let view = self.view();
            let subnet = |has: &TaskAddress| match view.get(&ViewKey::Network(has.network)).map(|item| &**item) {
                Some(ViewItem::Network(network)) => Some(network.subnet),
                _ => None,
            };
            record.attachment.addresses.iter().skip(1).map_while(subnet).collect::<Vec<_>>()
        };
        let inside = namespace::open(record.attachment.netns.clone()).await?;
        self.plug(&inside, record.index, pool::mtu(state)).await?;
        self.equip(state, &inside, &record, &subnets).await
    }
}
