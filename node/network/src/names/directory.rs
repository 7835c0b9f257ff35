//! All names of a view, sorted by network, so that a question costs no walk over the services. Pure; made once for each view.
//!
//! It knows names and addresses, not messages. Where names meet in a network, a service's own name hides aliases, and these hide host
//! names of containers; equal ones share the name.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use cluster_types::{EndpointMode, NetworkId, ServiceNetworkView, ServiceView, Subnet, ViewItem, ViewItems};

/// The names and addresses of a view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    networks: BTreeMap<NetworkId, Facts>,
    names: BTreeMap<NetworkId, BTreeMap<String, Entry>>,
    owners: BTreeMap<Ipv4Addr, (NetworkId, String)>,
    subnets: Vec<Subnet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    name: String,
    internal: bool,
}

/// What a name stands for in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    rank: Rank,
    /// Behind the name itself.
    addresses: Vec<Ipv4Addr>,
    /// Behind `tasks.` and the name.
    tasks: Vec<Ipv4Addr>,
}

/// Which of two equal names counts: the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Host,
    Alias,
    Service,
}

/// Whether questions for names of the world may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayOut {
    /// They may.
    Open,
    /// The asker is in internal networks only.
    Closed,
    /// The view does not know the asker's networks yet.
    Unknown,
}

/// Who has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// A name that the asker may know.
    Name(&'a str),
    /// Nobody whom the asker may know; but the address is the cluster's, and the world has no name for it.
    Hidden,
    /// The address is none of the cluster's.
    Foreign,
}

impl Directory {
    /// The names of a view.
    #[must_use]
    pub fn of(items: &ViewItems) -> Self {
        let mut directory = Self::default();
        for item in items.values() {
            match &**item {
                ViewItem::Own(own) => directory.subnets.push(own.pool.pool),
                ViewItem::Peer(_) => {}
                ViewItem::Network(network) => {
                    directory.subnets.push(network.subnet);
                    let facts = Facts { name: network.name.to_ascii_lowercase(), internal: network.internal };
                    directory.networks.insert(network.id, facts);
                }
                ViewItem::Service(service) => service.networks.iter().for_each(|part| directory.add(service, part)),
            }
        }
        directory
    }

    fn add(&mut self, service: &ServiceView, part: &ServiceNetworkView) {
        let tasks: Vec<Ipv4Addr> = part.endpoints.iter().map(|endpoint| endpoint.address).collect();
        // A service that waits for its VIP can be reached meanwhile.
        let vip = part.vip.filter(|_| service.mode == EndpointMode::Vip);
        let addresses = vip.map_or_else(|| tasks.clone(), |vip| vec![vip]);
        if let Some(vip) = vip {
            self.owners.insert(vip, (part.network, service.name.clone()));
        }
        let names = self.names.entry(part.network).or_default();
        for endpoint in &part.endpoints {
            self.owners.insert(endpoint.address, (part.network, endpoint.hostname.clone()));
            put(names, &endpoint.hostname, Entry { rank: Rank::Host, addresses: vec![endpoint.address], tasks: Vec::new() });
        }
        for alias in part.aliases.iter().filter(|alias| !alias.eq_ignore_ascii_case(&service.name)) {
            put(names, alias, Entry { rank: Rank::Alias, addresses: addresses.clone(), tasks: tasks.clone() });
        }
        put(names, &service.name, Entry { rank: Rank::Service, addresses, tasks });
    }

    /// The addresses behind a name in lower case, as far as somebody in these networks may know them. None when there is no such name.
    pub(super) fn addresses(&self, name: &str, networks: &[NetworkId]) -> Option<&[Ipv4Addr]> {
        self.plain(name, networks).or_else(|| {
            let (front, last) = name.rsplit_once('.')?;
            let named = networks.iter().filter(|id| self.networks.get(id).is_some_and(|facts| facts.name == last));
            named.filter_map(|id| self.plain(front, std::slice::from_ref(id))).next()
        })
    }

    /// The same for a name that does not end with a network's name.
    fn plain(&self, name: &str, networks: &[NetworkId]) -> Option<&[Ipv4Addr]> {
        let own = self.entry(name, networks, Rank::Host).map(|entry| entry.addresses.as_slice());
        own.or_else(|| Some(self.entry(name.strip_prefix("tasks.")?, networks, Rank::Alias)?.tasks.as_slice()))
    }

    fn entry(&self, name: &str, networks: &[NetworkId], least: Rank) -> Option<&Entry> {
        networks.iter().filter_map(|network| self.names.get(network)?.get(name)).find(|entry| entry.rank >= least)
    }

    /// Whose an address is, as far as somebody in these networks may know it.
    pub(super) fn owner(&self, address: Ipv4Addr, networks: &[NetworkId]) -> Owner<'_> {
        match self.owners.get(&address) {
            Some((network, name)) if networks.contains(network) => Owner::Name(name),
            Some(_) => Owner::Hidden,
            None if self.subnets.iter().any(|subnet| subnet.contains(address)) => Owner::Hidden,
            None => Owner::Foreign,
        }
    }

    /// Whether questions of somebody in these networks may leave the cluster.
    pub(super) fn way_out(&self, networks: &[NetworkId]) -> WayOut {
        let known = || networks.iter().filter_map(|id| self.networks.get(id));
        if networks.is_empty() || known().any(|facts| !facts.internal) {
            WayOut::Open
        } else if known().count() == networks.len() {
            WayOut::Closed
        } else {
            WayOut::Unknown
        }
    }
}

fn put(names: &mut BTreeMap<String, Entry>, name: &str, entry: Entry) {
    let name = name.to_ascii_lowercase();
    match names.get_mut(&name) {
        Some(known) if known.rank == entry.rank => {
            known.addresses.extend(entry.addresses);
            known.tasks.extend(entry.tasks);
        }
        Some(known) if known.rank > entry.rank => {}
        _ => drop(names.insert(name, entry)),
    }
}
