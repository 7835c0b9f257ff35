//! Networks: their objects, and what tasks, services and nodes have of them.

use std::collections::BTreeMap;

use cluster_types::{
    BlockOwner, Endpoint, EndpointAffinity, EndpointMode, EndpointSpec, Network, NetworkAttachment, NetworkPool, NetworkSpec, NodeNetwork,
    PublishMode, PublishedPort, Subnet, TaskAddress,
};

use super::{FieldError, list, parsed, required, to_map, variant};
use crate::pb;

impl From<&NetworkSpec> for pb::NetworkSpec {
    fn from(spec: &NetworkSpec) -> Self {
        Self {
            name: spec.name.clone(),
            labels: to_map(&spec.labels),
            subnet: spec.subnet.map(|subnet| subnet.to_string()).unwrap_or_default(),
            attachable: spec.attachable,
            internal: spec.internal,
        }
    }
}

impl TryFrom<pb::NetworkSpec> for NetworkSpec {
    type Error = FieldError;

    fn try_from(spec: pb::NetworkSpec) -> Result<Self, FieldError> {
        Ok(Self {
            name: spec.name,
            labels: spec.labels.into_iter().collect(),
            subnet: if spec.subnet.is_empty() { None } else { Some(parsed("subnet", &spec.subnet)?) },
            attachable: spec.attachable,
            internal: spec.internal,
        })
    }
}

impl From<&Network> for pb::Network {
    fn from(network: &Network) -> Self {
        let block = |(number, owner): (&u32, &BlockOwner)| pb::Block {
            number: *number,
            subnet: network.block(*number).map(|block| block.to_string()).unwrap_or_default(),
            node: match owner {
                BlockOwner::Node(node) => node.to_string(),
                BlockOwner::Services => String::new(),
            },
            ..pb::Block::default()
        };
        Self {
            meta: Some((&network.meta).into()),
            id: network.id.to_string(),
            spec: Some((&network.spec).into()),
            subnet: network.subnet.to_string(),
            blocks: network.blocks.iter().map(block).collect(),
            ..Self::default()
        }
    }
}

impl TryFrom<pb::Network> for Network {
    type Error = FieldError;

    fn try_from(network: pb::Network) -> Result<Self, FieldError> {
        let blocks = network.blocks.iter().enumerate().map(|(place, block)| {
            let node = || parsed(&format!("blocks[{place}].node"), &block.node).map(BlockOwner::Node);
            Ok((block.number, if block.node.is_empty() { BlockOwner::Services } else { node()? }))
        });
        Ok(Self {
            blocks: blocks.collect::<Result<_, FieldError>>()?,
            meta: required("meta", network.meta)?,
            id: parsed("id", &network.id)?,
            spec: required("spec", network.spec)?,
            subnet: parsed("subnet", &network.subnet)?,
        })
    }
}

impl From<&NetworkPool> for pb::NetworkPool {
    fn from(pool: &NetworkPool) -> Self {
        Self { pool: pool.pool.to_string(), network_prefix: pool.network_prefix.into(), data_port: pool.data_port.into() }
    }
}

impl TryFrom<pb::NetworkPool> for NetworkPool {
    type Error = FieldError;

    fn try_from(pool: pb::NetworkPool) -> Result<Self, FieldError> {
        Ok(Self {
            pool: parsed("pool", &pool.pool)?,
            network_prefix: u8::try_from(pool.network_prefix)
                .map_err(|_| FieldError::new("network_prefix", format!("{} is no prefix", pool.network_prefix)))?,
            data_port: port("data_port", pool.data_port)?,
        })
    }
}

/// A port number or a node's number.
pub(super) fn port(field: &str, number: u32) -> Result<u16, FieldError> {
    u16::try_from(number).map_err(|_| FieldError::new(field, format!("{number} is out of range: use 0 to 65535")))
}

impl From<&NetworkAttachment> for pb::NetworkAttachment {
    fn from(attachment: &NetworkAttachment) -> Self {
        Self { network: attachment.network.to_string(), aliases: attachment.aliases.clone() }
    }
}

impl TryFrom<pb::NetworkAttachment> for NetworkAttachment {
    type Error = FieldError;

    fn try_from(attachment: pb::NetworkAttachment) -> Result<Self, FieldError> {
        Ok(Self { network: parsed("network", &attachment.network)?, aliases: attachment.aliases })
    }
}

impl From<EndpointMode> for pb::EndpointMode {
    fn from(mode: EndpointMode) -> Self {
        match mode {
            EndpointMode::Vip => Self::Vip,
            EndpointMode::Dnsrr => Self::Dnsrr,
        }
    }
}

impl From<pb::EndpointMode> for EndpointMode {
    fn from(mode: pb::EndpointMode) -> Self {
        match mode {
            pb::EndpointMode::Vip => Self::Vip,
            pb::EndpointMode::Dnsrr => Self::Dnsrr,
        }
    }
}

impl From<EndpointAffinity> for pb::EndpointAffinity {
    fn from(affinity: EndpointAffinity) -> Self {
        match affinity {
            EndpointAffinity::None => Self::NoAffinity,
            EndpointAffinity::ClientIp => Self::ClientIp,
        }
    }
}

impl From<pb::EndpointAffinity> for EndpointAffinity {
    fn from(affinity: pb::EndpointAffinity) -> Self {
        match affinity {
            pb::EndpointAffinity::NoAffinity => Self::None,
            pb::EndpointAffinity::ClientIp => Self::ClientIp,
        }
    }
}

impl From<&EndpointSpec> for pb::EndpointSpec {
    fn from(spec: &EndpointSpec) -> Self {
        Self { mode: pb::EndpointMode::from(spec.mode).into(), affinity: pb::EndpointAffinity::from(spec.affinity).into() }
    }
}

impl TryFrom<pb::EndpointSpec> for EndpointSpec {
    type Error = FieldError;

    fn try_from(spec: pb::EndpointSpec) -> Result<Self, FieldError> {
        Ok(Self {
            mode: variant::<pb::EndpointMode, _>("mode", spec.mode)?,
            affinity: variant::<pb::EndpointAffinity, _>("affinity", spec.affinity)?,
        })
    }
}

impl From<&Endpoint> for pb::Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        let vip = |(network, address): (&_, &_)| (&TaskAddress { network: *network, address: *address }).into();
        Self {
            vips: endpoint.vips.iter().map(vip).collect(),
            ports: endpoint.ports.iter().map(Into::into).collect(),
            error: endpoint.error.clone(),
        }
    }
}

impl TryFrom<pb::Endpoint> for Endpoint {
    type Error = FieldError;

    fn try_from(endpoint: pb::Endpoint) -> Result<Self, FieldError> {
        let vips: Vec<TaskAddress> = list("vips", endpoint.vips)?;
        Ok(Self {
            vips: vips.into_iter().map(|vip| (vip.network, vip.address)).collect::<BTreeMap<_, _>>(),
            ports: list("ports", endpoint.ports)?,
            error: endpoint.error,
        })
    }
}

impl From<&TaskAddress> for pb::TaskAddress {
    fn from(has: &TaskAddress) -> Self {
        Self { network: has.network.to_string(), address: has.address.to_string() }
    }
}

impl TryFrom<pb::TaskAddress> for TaskAddress {
    type Error = FieldError;

    fn try_from(has: pb::TaskAddress) -> Result<Self, FieldError> {
        Ok(Self { network: parsed("network", &has.network)?, address: parsed("address", &has.address)? })
    }
}

impl From<&NodeNetwork> for pb::NodeNetwork {
    fn from(network: &NodeNetwork) -> Self {
        let conflict =
            |&(published, protocol): &(u16, _)| (&PublishedPort { target: 0, published, protocol, mode: PublishMode::Ingress }).into();
        Self {
            conflicts: network.conflicts.iter().map(conflict).collect(),
            trouble: network.trouble.clone(),
            repairs: network.repairs,
            repaired: network.repaired.clone(),
        }
    }
}

impl TryFrom<pb::NodeNetwork> for NodeNetwork {
    type Error = FieldError;

    fn try_from(network: pb::NodeNetwork) -> Result<Self, FieldError> {
        let conflicts: Vec<PublishedPort> = list("conflicts", network.conflicts)?;
        Ok(Self {
            conflicts: conflicts.into_iter().map(|port| (port.published, port.protocol)).collect(),
            trouble: network.trouble,
            repairs: network.repairs,
            repaired: network.repaired,
        })
    }
}

/// A block of a node, of any size.
pub(super) fn block(field: &str, text: &str) -> Result<Subnet, FieldError> {
    let wrong = || FieldError::new(field, format!("`{text}` is no subnet"));
    let (base, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let (base, prefix) = (parsed(field, base)?, parsed(field, prefix)?);
    Subnet::around(base, prefix).filter(|subnet| subnet.base() == base).ok_or_else(wrong)
}
