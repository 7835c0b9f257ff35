//! Network views and their differences.

use std::sync::Arc;

use cluster_types::{EndpointView, NetworkView, OwnView, PeerView, ServiceNetworkView, ServiceView, Version, ViewDiff, ViewItem, ViewKey};

use super::network::{block, port};
use super::{FieldError, list, parsed, required, variant};
use crate::pb;
use crate::pb::view_item::Item;
use crate::pb::view_key::Key;

impl From<&ViewKey> for pb::ViewKey {
    fn from(key: &ViewKey) -> Self {
        let key = match key {
            ViewKey::Own => Key::Own(true),
            ViewKey::Peer(id) => Key::Peer(id.to_string()),
            ViewKey::Network(id) => Key::Network(id.to_string()),
            ViewKey::Service(id) => Key::Service(id.to_string()),
        };
        Self { key: Some(key) }
    }
}

impl TryFrom<pb::ViewKey> for ViewKey {
    type Error = FieldError;

    fn try_from(key: pb::ViewKey) -> Result<Self, FieldError> {
        match key.key.ok_or_else(|| FieldError::new("key", "is missing"))? {
            Key::Own(_) => Ok(Self::Own),
            Key::Peer(id) => parsed("peer", &id).map(Self::Peer),
            Key::Network(id) => parsed("network", &id).map(Self::Network),
            Key::Service(id) => parsed("service", &id).map(Self::Service),
        }
    }
}

impl From<&ViewItem> for pb::ViewItem {
    fn from(item: &ViewItem) -> Self {
        let item = match item {
            ViewItem::Own(own) => {
                Item::Own(pb::OwnView { node: own.node.to_string(), number: own.number.into(), pool: Some((&own.pool).into()) })
            }
            ViewItem::Peer(peer) => Item::Peer(peer.into()),
            ViewItem::Network(network) => Item::Network(network.into()),
            ViewItem::Service(service) => Item::Service(service.into()),
        };
        Self { item: Some(item) }
    }
}

impl TryFrom<pb::ViewItem> for ViewItem {
    type Error = FieldError;

    fn try_from(item: pb::ViewItem) -> Result<Self, FieldError> {
        match item.item.ok_or_else(|| FieldError::new("item", "is missing"))? {
            Item::Own(own) => Ok(Self::Own(OwnView {
                node: parsed("own.node", &own.node)?,
                number: port("own.number", own.number)?,
                pool: required("own.pool", own.pool)?,
            })),
            Item::Peer(peer) => peer.try_into().map(Self::Peer),
            Item::Network(network) => network.try_into().map(Self::Network),
            Item::Service(service) => service.try_into().map(Self::Service),
        }
    }
}

impl From<&PeerView> for pb::PeerView {
    fn from(peer: &PeerView) -> Self {
        Self {
            node: peer.node.to_string(),
            number: peer.number.into(),
            underlay: peer.underlay.to_string(),
            blocks: peer.blocks.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<pb::PeerView> for PeerView {
    type Error = FieldError;

    fn try_from(peer: pb::PeerView) -> Result<Self, FieldError> {
        Ok(Self {
            node: parsed("peer.node", &peer.node)?,
            number: port("peer.number", peer.number)?,
            underlay: parsed("peer.underlay", &peer.underlay)?,
            blocks: peer.blocks.iter().map(|text| block("peer.blocks", text)).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&NetworkView> for pb::NetworkView {
    fn from(network: &NetworkView) -> Self {
        Self { id: network.id.to_string(), name: network.name.clone(), subnet: network.subnet.to_string(), internal: network.internal }
    }
}

impl TryFrom<pb::NetworkView> for NetworkView {
    type Error = FieldError;

    fn try_from(network: pb::NetworkView) -> Result<Self, FieldError> {
        Ok(Self {
            id: parsed("network.id", &network.id)?,
            name: network.name,
            subnet: block("network.subnet", &network.subnet)?,
            internal: network.internal,
        })
    }
}

impl From<&ServiceView> for pb::ServiceView {
    fn from(service: &ServiceView) -> Self {
        Self {
            id: service.id.to_string(),
            name: service.name.clone(),
            mode: pb::EndpointMode::from(service.mode).into(),
            affinity: pb::EndpointAffinity::from(service.affinity).into(),
            networks: service.networks.iter().map(Into::into).collect(),
            ports: service.ports.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::ServiceView> for ServiceView {
    type Error = FieldError;

    fn try_from(service: pb::ServiceView) -> Result<Self, FieldError> {
        Ok(Self {
            id: parsed("service.id", &service.id)?,
            name: service.name,
            mode: variant::<pb::EndpointMode, _>("service.mode", service.mode)?,
            affinity: variant::<pb::EndpointAffinity, _>("service.affinity", service.affinity)?,
            networks: list("service.networks", service.networks)?,
            ports: list("service.ports", service.ports)?,
        })
    }
}

impl From<&ServiceNetworkView> for pb::ServiceNetworkView {
    fn from(part: &ServiceNetworkView) -> Self {
        let endpoint = |view: &EndpointView| pb::EndpointView { address: view.address.to_string(), hostname: view.hostname.clone() };
        Self {
            network: part.network.to_string(),
            vip: part.vip.map(|vip| vip.to_string()).unwrap_or_default(),
            aliases: part.aliases.clone(),
            endpoints: part.endpoints.iter().map(endpoint).collect(),
        }
    }
}

impl TryFrom<pb::ServiceNetworkView> for ServiceNetworkView {
    type Error = FieldError;

    fn try_from(part: pb::ServiceNetworkView) -> Result<Self, FieldError> {
        let endpoint =
            |view: pb::EndpointView| Ok(EndpointView { address: parsed("endpoints.address", &view.address)?, hostname: view.hostname });
        Ok(Self {
            network: parsed("network", &part.network)?,
            vip: if part.vip.is_empty() { None } else { Some(parsed("vip", &part.vip)?) },
            aliases: part.aliases,
            endpoints: part.endpoints.into_iter().map(endpoint).collect::<Result<_, FieldError>>()?,
        })
    }
}

/// The whole diff as one piece (`more` is false).
impl From<&ViewDiff> for pb::NetworkPiece {
    fn from(diff: &ViewDiff) -> Self {
        Self {
            full: diff.full,
            more: false,
            version: diff.version.0,
            put: diff.put.iter().map(|item| (&**item).into()).collect(),
            remove: diff.remove.iter().map(Into::into).collect(),
        }
    }
}

/// One piece; `more` is for the caller to look at.
impl TryFrom<pb::NetworkPiece> for ViewDiff {
    type Error = FieldError;

    fn try_from(piece: pb::NetworkPiece) -> Result<Self, FieldError> {
        Ok(Self {
            full: piece.full,
            version: Version(piece.version),
            put: list("put", piece.put)?.into_iter().map(Arc::new).collect(),
            remove: list("remove", piece.remove)?,
        })
    }
}
