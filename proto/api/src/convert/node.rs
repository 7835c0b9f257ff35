//! Nodes: their spec, description, presence and manager seat.

use cluster_types::{
    Availability, DrainSpec, ManagerSeat, Node, NodeDescription, NodeSpec, NodeState, NodeStatus, Platform, Role, Timestamp,
};

use super::{FieldError, optional, parsed, placement, required, same_values, stamp, to_map, variant};
use crate::pb;

same_values!(Role, pb::Role: Worker = WorkerNode, Manager = ManagerNode);

same_values!(Availability, pb::Availability: Active = Active, Pause = Pause, Drain = Drain);

same_values!(NodeState, pb::NodeState: Unknown = NodeUnknown, Ready = NodeReady, Disconnected = NodeDisconnected, Down = NodeDown);

impl From<DrainSpec> for pb::DrainSpec {
    fn from(drain: DrainSpec) -> Self {
        Self { max_unavailable: drain.max_unavailable, deadline_ms: drain.deadline.map(|at| at.0) }
    }
}

impl From<pb::DrainSpec> for DrainSpec {
    fn from(drain: pb::DrainSpec) -> Self {
        Self { max_unavailable: drain.max_unavailable, deadline: stamp(drain.deadline_ms) }
    }
}

impl From<&NodeSpec> for pb::NodeSpec {
    fn from(spec: &NodeSpec) -> Self {
        Self {
            role: pb::Role::from(spec.role).into(),
            availability: pb::Availability::from(spec.availability).into(),
            labels: to_map(&spec.labels),
            drain: Some(spec.drain.into()),
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
            drain: spec.drain.map(Into::into).unwrap_or_default(),
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
            generic: placement::pools(&description.generic),
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
            generic: placement::read_pools(description.generic)?,
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
