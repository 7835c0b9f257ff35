//! A network as `docker network inspect` prints it, with what is used of it beside that.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::put;
use crate::model::{BlockView, NetworkView, NodeView};
use crate::render::age::rfc3339;
use crate::render::row::{NETWORK_DRIVER, NETWORK_SCOPE};

impl NetworkView {
    /// The whole network. Of the nodes those are its peers that have a block of it.
    pub(crate) fn inspect(&self, nodes: &[NodeView]) -> Value {
        let (network, spec) = (&self.network, &self.network.spec);
        json!({
            "Name": spec.name,
            "Id": network.id.to_string(),
            "Created": rfc3339(network.meta.created),
            "Scope": NETWORK_SCOPE,
            "Driver": NETWORK_DRIVER,
            "EnableIPv4": true,
            "EnableIPv6": false,
            "IPAM": { "Driver": "default", "Config": [{ "Subnet": network.subnet }] },
            "Internal": spec.internal,
            "Attachable": spec.attachable,
            "Ingress": false,
            "Labels": spec.labels,
            "Used": self.used,
            "Free": self.free,
            "Services": self.services,
            "Blocks": self.blocks.iter().map(block).collect::<Vec<_>>(),
            "Peers": self.peers(nodes),
        })
    }

    fn peers(&self, nodes: &[NodeView]) -> Value {
        let with: BTreeSet<&str> = self.blocks.iter().map(|block| block.node.as_str()).collect();
        let peers = nodes.iter().filter(|view| with.contains(view.node.id.to_string().as_str()));
        let peer = |view: &NodeView| {
            let address = view.node.description.data_address.map(|address| address.to_string()).unwrap_or_default();
            json!({ "Name": view.node.description.hostname, "IP": address })
        };
        peers.map(peer).collect()
    }
}

/// A block belongs to a node, or to the services of all nodes.
fn block(block: &BlockView) -> Value {
    let mut object = Map::new();
    put(&mut object, "Subnet", json!(block.subnet));
    let node = if block.node_hostname.is_empty() { &block.node } else { &block.node_hostname };
    put(&mut object, "Node", json!(node));
    put(&mut object, "NodeID", json!(block.node));
    if block.node.is_empty() {
        put(&mut object, "Services", json!(true));
    }
    object.insert("Used".to_owned(), json!(block.used));
    Value::Object(object)
}
