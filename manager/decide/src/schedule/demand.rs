//! What a task asks of a node, and the filters that judge it, in swarm's order (`swarm-behaviour.md` 1.4). Each filter checks, and explains
//! with amounts when it refuses.

use std::fmt;

use cluster_types::constraint::ConstraintKey;
use cluster_types::{
    Availability, Constraint, GenericNeeds, Node, NodeState, Placement, Platform, Protocol, PublishMode, Reservation, ServiceSpec,
};

use super::fleet::Room;
use crate::allocate::ports::word;
use crate::constraint;

/// A port of a host.
pub(super) type HostPort = (u16, Protocol);

/// What the tasks of one spec ask of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    pub(super) reservation: Reservation,
    pub(super) placement: Placement,
    pub(super) ports: Vec<HostPort>,
    pub(super) generic: GenericNeeds,
    /// The preferences that are keys; validation lets no others in.
    pub(super) levels: Vec<ConstraintKey>,
}

/// Why a node does not take a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not there.
    NotReady(NodeState),
    /// Users closed it for new tasks.
    Closed(Availability),
    /// Too little CPU is free: billionths of a CPU.
    Cpus {
        /// What is reserved for the task.
        needs: u64,
        /// What is free.
        free: u64,
    },
    /// Too little memory is free: bytes.
    Memory {
        /// What is reserved for the task.
        needs: u64,
        /// What is free.
        free: u64,
    },
    /// Too few of a generic resource are free.
    Generic {
        /// Its kind.
        kind: String,
        /// What the task asks for.
        needs: u64,
        /// What is free.
        free: u64,
    },
    /// It is of another platform than the service is for.
    Platform(Platform),
    /// A constraint does not hold.
    Constraint(Constraint),
    /// Another task has the port.
    Port(u16, Protocol),
    /// It has as many tasks of the service as are allowed.
    Full(u64),
    /// A network has no address for it: why.
    Address(String),
}

impl Demand {
    /// The demand of a service's tasks.
    #[must_use]
    pub fn of(spec: &ServiceSpec) -> Self {
        let placement = spec.task.placement.clone();
        Self {
            reservation: spec.task.reservation,
            levels: placement.preferences.iter().filter_map(|key| key.parse().ok()).collect(),
            placement,
            ports: host_ports(spec).collect(),
            generic: spec.task.generic.clone(),
        }
    }

    /// The first filter that refuses the node, which has `count` tasks of the service.
    pub(super) fn refusal(&self, room: &Room, count: u32) -> Option<Refusal> {
        closed(&room.node)
            .or_else(|| self.cpus(room))
            .or_else(|| self.memory(room))
            .or_else(|| self.lacks_generic(room))
            .or_else(|| self.unmet(&room.node))
            .or_else(|| self.other_platform(&room.node))
            .or_else(|| self.port_taken(room))
            .or_else(|| self.is_full(count))
    }

    /// Every filter that refuses the node.
    pub(super) fn refusals(&self, room: &Room, count: u32) -> Vec<Refusal> {
        let node = &room.node;
        let unmet = self.placement.constraints.iter().filter(|constraint| !constraint::holds(node, constraint));
        let taken = self.ports.iter().filter(|port| room.ports.contains(port));
        let first = [closed(node), self.cpus(room), self.memory(room), self.lacks_generic(room), self.other_platform(node)];
        let mut all: Vec<Refusal> = first.into_iter().flatten().collect();
        all.extend(unmet.cloned().map(Refusal::Constraint));
        all.extend(taken.map(|&(port, protocol)| Refusal::Port(port, protocol)));
        all.extend(self.is_full(count));
        all
    }

    /// The first filter that would refuse the node even if it were empty and open. The room is that of an empty node.
    pub(super) fn never(&self, empty: &Room) -> Option<Refusal> {
        self.cpus(empty)
            .or_else(|| self.memory(empty))
            .or_else(|| self.lacks_generic(empty))
            .or_else(|| self.unmet(&empty.node))
            .or_else(|| self.other_platform(&empty.node))
    }

    /// Most tasks of the demand that an empty node takes.
    pub(super) fn most(&self, empty: &Room) -> u64 {
        let per = |needs: u64, free: u64| free.checked_div(needs).unwrap_or(u64::MAX);
        let generic = self.generic.iter().map(|(kind, needs)| per(*needs, empty.free_generic(kind)));
        let limits = [
            per(self.reservation.nano_cpus, empty.free.nano_cpus),
            per(self.reservation.memory, empty.free.memory),
            if self.placement.max_per_node == 0 { u64::MAX } else { self.placement.max_per_node },
            if self.ports.is_empty() { u64::MAX } else { 1 },
        ];
        limits.into_iter().chain(generic).min().unwrap_or(u64::MAX)
    }

    /// Whether what does not change while tasks are placed lets the node in.
    pub(super) fn admits(&self, node: &Node) -> bool {
        node.takes_tasks() && constraint::belongs(node, &self.placement)
    }

    /// Whether what changes while tasks are placed lets one more in.
    pub(super) fn fits(&self, room: &Room, count: u32) -> bool {
        self.fits_but_generic(room, count) && self.fits_generic(room)
    }

    /// Whether the generic resources are there. Dear to ask, so placing asks the best nodes only.
    pub(super) fn fits_generic(&self, room: &Room) -> bool {
        self.generic.is_empty() || self.lacks_generic(room).is_none()
    }

    /// The rest of [`Self::fits`].
    pub(super) fn fits_but_generic(&self, room: &Room, count: u32) -> bool {
        self.reservation.nano_cpus <= room.free.nano_cpus
            && self.reservation.memory <= room.free.memory
            && (self.placement.max_per_node == 0 || u64::from(count) < self.placement.max_per_node)
            && (self.ports.is_empty() || self.port_taken(room).is_none())
    }

    fn cpus(&self, room: &Room) -> Option<Refusal> {
        let (needs, free) = (self.reservation.nano_cpus, room.free.nano_cpus);
        (needs > free).then_some(Refusal::Cpus { needs, free })
    }

    fn memory(&self, room: &Room) -> Option<Refusal> {
        let (needs, free) = (self.reservation.memory, room.free.memory);
        (needs > free).then_some(Refusal::Memory { needs, free })
    }

    fn lacks_generic(&self, room: &Room) -> Option<Refusal> {
        let lack = room.generic.lack(&room.node.description.generic, &self.generic)?;
        Some(Refusal::Generic { kind: lack.kind, needs: lack.needs, free: lack.free })
    }

    fn other_platform(&self, node: &Node) -> Option<Refusal> {
        (!constraint::runs_on(node, &self.placement.platforms)).then(|| Refusal::Platform(node.description.platform.clone()))
    }

    fn unmet(&self, node: &Node) -> Option<Refusal> {
        constraint::unmet(node, &self.placement.constraints).cloned().map(Refusal::Constraint)
    }

    fn port_taken(&self, room: &Room) -> Option<Refusal> {
        self.ports.iter().find(|port| room.ports.contains(port)).map(|&(port, protocol)| Refusal::Port(port, protocol))
    }

    fn is_full(&self, count: u32) -> Option<Refusal> {
        let most = self.placement.max_per_node;
        (most != 0 && u64::from(count) >= most).then_some(Refusal::Full(most))
    }
}

/// The ports of the host that a spec asks for.
pub(super) fn host_ports(spec: &ServiceSpec) -> impl Iterator<Item = HostPort> + '_ {
    let host = spec.ports.iter().filter(|port| port.mode == PublishMode::Host && port.published != 0);
    host.map(|port| (port.published, port.protocol))
}

fn closed(node: &Node) -> Option<Refusal> {
    match (node.status.state, node.spec.availability) {
        (NodeState::Ready, Availability::Active) => None,
        (NodeState::Ready, closed @ (Availability::Pause | Availability::Drain)) => Some(Refusal::Closed(closed)),
        (state @ (NodeState::Unknown | NodeState::Disconnected | NodeState::Down), _) => Some(Refusal::NotReady(state)),
    }
}

impl Refusal {
    /// The reason without names and amounts, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotReady(_) => "not ready",
            Self::Closed(_) => "closed for new tasks",
            Self::Cpus { .. } => "too little CPU free",
            Self::Memory { .. } => "too little memory free",
            Self::Generic { .. } => "too little of a generic resource free",
            Self::Platform(_) => "of another platform",
            Self::Constraint(_) => "a constraint does not hold",
            Self::Port(..) => "a host port is taken",
            Self::Full(_) => "as many tasks as allowed per node",
            Self::Address(_) => "no address free",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady(NodeState::Unknown) => f.write_str("has not come yet"),
            Self::NotReady(NodeState::Disconnected) => f.write_str("is disconnected"),
            Self::NotReady(NodeState::Down) => f.write_str("is down"),
            Self::NotReady(NodeState::Ready) | Self::Closed(Availability::Active) => f.write_str("takes no tasks"),
            Self::Closed(Availability::Pause) => f.write_str("is paused"),
            Self::Closed(Availability::Drain) => f.write_str("is drained"),
            Self::Cpus { needs, free } => write!(f, "needs {} CPUs, {} free", Cpus(*needs), Cpus(*free)),
            Self::Memory { needs, free } => write!(f, "needs {} of memory, {} free", Bytes(*needs), Bytes(*free)),
            Self::Generic { kind, needs, free } => write!(f, "needs {needs} {kind}, {free} free"),
            Self::Platform(Platform { os, arch }) if os.is_empty() && arch.is_empty() => f.write_str("has not told its platform"),
            Self::Platform(Platform { os, arch }) => write!(f, "is {os}/{arch}, for which the service is not made"),
            Self::Constraint(constraint) => write!(f, "{constraint} does not hold"),
            Self::Port(port, protocol) => write!(f, "port {port}/{} is taken", word(*protocol)),
            Self::Address(reason) => write!(f, "gets no address: {reason}"),
            Self::Full(most) => write!(f, "has {most} tasks of the service, the most allowed per node"),
        }
    }
}

/// Billionths of a CPU as CPUs, without trailing zeros.
pub(super) struct Cpus(pub(super) u64);

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{}.{:03}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000_000);
        f.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Bytes in the largest binary unit that gives at least one, with one decimal.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut unit, mut names) = (1_u64, ["B", "KiB", "MiB", "GiB", "TiB"].into_iter());
        let mut name = names.next().unwrap_or_default();
        while let Some(larger) = names.next().filter(|_| self.0 / unit >= 1024) {
            (unit, name) = (unit * 1024, larger);
        }
        match self.0 % unit * 10 / unit {
            0 => write!(f, "{} {name}", self.0 / unit),
            tenths => write!(f, "{}.{tenths} {name}", self.0 / unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!([Cpus(2_000_000_000), Cpus(500_000_000), Cpus(0)].map(|cpus| cpus.to_string()), ["2", "0.5", "0"]);
        assert_eq!([Bytes(512), Bytes(1 << 20), Bytes(3 << 29)].map(|bytes| bytes.to_string()), ["512 B", "1 MiB", "1.5 GiB"]);
    }
}
