//! Nodes: their spec, description, presence and manager seat.

use cluster_types::{Availability, ManagerSeat, Node, NodeDescription, NodeSpec, NodeState, NodeStatus, Platform, Role, Timestamp};

use super::{FieldError, optional, parsed, required, to_map, variant};
use crate::pb;

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Worker => Self::WorkerNode,
            Role::Manager => Self::ManagerNode,
        }
    }
}

impl From<pb::Role> for Role {
    fn from(role: pb::Role) -> Self {
        match role {
            pb::Role::WorkerNode => Self::Worker,
            pb::Role::ManagerNode => Self::Manager,
        }
    }
}

impl From<Availability> for pb::Availability {
    fn from(availability: Availability) -> Self {
        match availability {
            Availability::Active => Self::Active,
            Availability::Pause => Self::Pause,
            Availability::Drain => Self::Drain,
        }
    }
}

impl From<pb::Availability> for Availability {
    fn from(availability: pb::Availability) -> Self {
        match availability {
            pb::Availability::Active => Self::Active,
            pb::Availability::Pause => Self::Pause,
            pb::Availability::Drain => Self::Drain,
        }
    }
}

impl From<NodeState> for pb::NodeState {
    fn from(state: NodeState) -> Self {
        match state {
            NodeState::Unknown => Self::NodeUnknown,
            NodeState::Ready => Self::NodeReady,
            NodeState::Disconnected => Self::NodeDisconnected,
            NodeState::Down => Self::NodeDown,
        }
    }
}

impl From<pb::NodeState> for NodeState {
    fn from(state: pb::NodeState) -> Self {
        match state {
            pb::NodeState::NodeUnknown => Self::Unknown,
            pb::NodeState::NodeReady => Self::Ready,
            pb::NodeState::NodeDisconnected => Self::Disconnected,
            pb::NodeState::NodeDown => Self::Down,
        }
    }
}

impl From<&NodeSpec> for pb::NodeSpec {
    fn from(spec: &NodeSpec) -> Self {
        Self {
            role: pb::Role::from(spec.role).into(),
            availability: pb::Availability::from(spec.availability).into(),
            labels: to_map(&spec.labels),
        }
    }
}

impl TryFrom<pb::NodeSpec> for NodeSpec {
    type Error = FieldError;

    fn try_from(spec: pb::NodeSpec) -> Result<Self, FieldError> {
        Ok(Self {
            role: variant::<pb::Role, _>("role", spec.role)?,
            availability: variant::<pb::Availability, _>("availability", spec.availability)?,
            labels: spec.labels.into_iter().collect(),
        })
    }
}

impl From<&NodeDescription> for pb::NodeDescription {
    fn from(description: &NodeDescription) -> Self {
        Self {
            hostname: description.hostname.clone(),
            os: description.platform.os.clone(),
            arch: description.platform.arch.clone(),
            capacity: Some((&description.capacity).into()),
            version: description.version.clone(),
            data_address: description.data_address.map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

impl TryFrom<pb::NodeDescription> for NodeDescription {
    type Error = FieldError;

    fn try_from(description: pb::NodeDescription) -> Result<Self, FieldError> {
        Ok(Self {
            hostname: description.hostname,
            platform: Platform { os: description.os, arch: description.arch },
            capacity: required("capacity", description.capacity)?,
            version: description.version,
            data_address: match description.data_address.as_str() {
                "" => None,
                text => Some(parsed("data_address", text)?),
            },
        })
    }
}

impl From<&NodeStatus> for pb::NodeStatus {
    fn from(status: &NodeStatus) -> Self {
        Self {
            state: pb::NodeState::from(status.state).into(),
            message: status.message.clone(),
            address: status.address.clone(),
            since_ms: status.since.0,
        }
    }
}

impl TryFrom<pb::NodeStatus> for NodeStatus {
    type Error = FieldError;

    fn try_from(status: pb::NodeStatus) -> Result<Self, FieldError> {
        Ok(Self {
            state: variant::<pb::NodeState, _>("state", status.state)?,
            message: status.message,
            address: status.address,
            since: Timestamp(status.since_ms),
        })
    }
}

impl From<&ManagerSeat> for pb::ManagerSeat {
    fn from(seat: &ManagerSeat) -> Self {
        Self { raft_id: seat.raft_id, address: seat.address.to_string() }
    }
}

impl TryFrom<pb::ManagerSeat> for ManagerSeat {
    type Error = FieldError;

    fn try_from(seat: pb::ManagerSeat) -> Result<Self, FieldError> {
        Ok(Self { raft_id: seat.raft_id, address: parsed("address", &seat.address)? })
    }
}

impl From<&Node> for pb::Node {
    fn from(node: &Node) -> Self {
        Self {
            meta: Some((&node.meta).into()),
            id: node.id.to_string(),
            spec: Some((&node.spec).into()),
            description: Some((&node.description).into()),
            status: Some((&node.status).into()),
            manager: node.manager.as_ref().map(Into::into),
            leader: false,
            reachable: false,
            number: node.number.unwrap_or_default().into(),
            network: Some((&node.network).into()),
        }
    }
}

impl TryFrom<pb::Node> for Node {
    type Error = FieldError;

    fn try_from(node: pb::Node) -> Result<Self, FieldError> {
        Ok(Self {
            meta: required("meta", node.meta)?,
            id: parsed("id", &node.id)?,
            spec: required("spec", node.spec)?,
            description: required("description", node.description)?,
            status: required("status", node.status)?,
            manager: optional("manager", node.manager)?,
            number: Some(super::network::port("number", node.number)?).filter(|number| *number != 0),
            network: required("network", node.network)?,
        })
    }
}
