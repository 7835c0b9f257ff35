//! How a world begins: how many machines, what they are, and the first state.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use cluster_seeds::{Chance, Config, Trace};
use cluster_state::State;
use cluster_types::{
    CaRoot, Change, Cluster, ClusterId, DEFAULT_NETWORK, DEFAULT_NETWORK_NAME, Entry, EntryMode, JoinSecret, JoinSecrets, Meta, Network,
    NetworkPool, NetworkSpec, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec, NodeStatus, Object, RequestId, Reservation, Role,
    Timestamp,
};

use super::World;
use crate::client::Client;
use crate::context::Context;
use crate::event::Event;
use crate::fault::{Fired, Weather};
use crate::host::Host;
use crate::invariants::Watch;
use crate::link::Links;
use crate::manager::Manager;
use crate::queue::Queue;

const CLIENTS: usize = 3;

impl World {
    /// The world of a seed.
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let mut chance = Chance::new(seed, 0);
        let managers = if chance.percent(70) { 3 } else { 5 };
        let hosts = managers + if chance.percent(85) { chance.index(5) + 1 } else { chance.index(14) + 2 };
        let mut world = Self::of(seed, config, (managers, hosts), chance);
        let at = world.context.chance.within(4_000..=10_000);
        world.context.after(at, Event::Fault);
        for client in 0..CLIENTS {
            world.clients.push(Client::new(client, managers));
            world.context.soon(500..=3_000, Event::Client { client, attempt: 0 });
        }
        world
    }

    /// One in which nothing happens by itself.
    pub(crate) fn of(seed: u64, config: Config, (managers, hosts): (usize, usize), mut chance: Chance) -> Self {
        let mut trace = Trace::new(config.aloud);
        trace.say(Duration::ZERO, &format!("seed {seed}: {managers} managers, {hosts} hosts"));
        let nodes: Vec<(NodeId, NodeDescription)> = (0..hosts).map(|host| (chance.id(), description(host, 0))).collect();
        let state = first_state(&nodes, managers);
        let mut watch = Watch::default();
        watch.begin(&state);
        let context = Context {
            now: 0,
            chance,
            queue: Queue::default(),
            links: Links::default(),
            trace,
            weather: Weather::default(),
            watch,
            fired: Fired::default(),
        };
        let hosts = nodes.into_iter().enumerate().map(|(index, (node, about))| Host::new(index, managers, node, about)).collect();
        let managers = (0..managers).map(|id| Manager::new(id, managers, state.clone())).collect();
        let (rejoins, clients) = (Vec::new(), Vec::new());
        let mut world = Self { seed, seconds: config.seconds, steps: 0, context, managers, hosts, clients, rejoins, healed_in: 0 };
        world.managers.iter_mut().for_each(|manager| manager.start(&mut world.context));
        world.hosts.iter_mut().for_each(|host| host.start(&mut world.context));
        world
    }
}

/// What a host says of itself; `joined` counts its lives as a node.
pub(crate) fn description(host: usize, joined: u64) -> NodeDescription {
    let number = u32::try_from(host).unwrap_or_default() + 1;
    NodeDescription {
        hostname: if joined == 0 { format!("host-{host}") } else { format!("host-{host}-{joined}") },
        capacity: Reservation { nano_cpus: 4_000_000_000, memory: 8 << 30 },
        data_address: Some(Ipv4Addr::from(0xC0A8_0000 + number)),
        ..NodeDescription::default()
    }
}

fn first_state(nodes: &[(NodeId, NodeDescription)], managers: usize) -> State {
    let pool = NetworkPool::standard();
    let secret = JoinSecret { words: [1, 2], expires: None };
    let cluster = Cluster {
        meta: Meta::default(),
        id: ClusterId::from_bits(1),
        name: "simulated".to_owned(),
        incarnation: 1,
        ca: CaRoot { certificate: String::new(), key: String::new() },
        join: JoinSecrets { worker: secret.clone(), manager: secret },
        network: pool,
    };
    let mut changes = vec![Change::Create(Object::Cluster(Arc::new(cluster)))];
    if let Some(subnet) = pool.default_network() {
        let spec = NetworkSpec { name: DEFAULT_NETWORK_NAME.to_owned(), ..NetworkSpec::default() };
        let network = Network { meta: Meta::default(), id: DEFAULT_NETWORK, spec, subnet, blocks: BTreeMap::new() };
        changes.push(Change::Create(Object::Network(Arc::new(network))));
    }
    for (index, (id, description)) in nodes.iter().enumerate() {
        let role = if index < managers { Role::Manager } else { Role::Worker };
        let node = Node {
            meta: Meta::default(),
            id: *id,
            spec: NodeSpec { role, ..NodeSpec::default() },
            description: description.clone(),
            status: NodeStatus::default(),
            manager: None,
            number: None,
            network: NodeNetwork::default(),
        };
        changes.push(Change::Create(Object::Node(Arc::new(node))));
    }
    let mut state = State::new();
    state.apply(1, &Entry { request: RequestId::from_bits(1), at: Timestamp(1), mode: EntryMode::Each, changes });
    state
}
