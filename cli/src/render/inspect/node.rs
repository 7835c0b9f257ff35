//! A node as `docker node inspect` prints it.

use cluster_types::Protocol;
use serde_json::{Map, Value, json};

use super::{head, put};
use crate::model::NodeView;
use crate::render::age::rfc3339;
use crate::render::row::protocol;

impl NodeView {
    /// The whole node.
    pub(crate) fn inspect(&self) -> Value {
        let node = &self.node;
        let mut object = head(&node.id.to_string(), &node.meta);
        object.insert(
            "Spec".to_owned(),
            json!({ "Labels": node.spec.labels, "Role": node.spec.role, "Availability": node.spec.availability }),
        );
        let description = &node.description;
        object.insert(
            "Description".to_owned(),
            json!({
                "Hostname": description.hostname,
                "Platform": { "Architecture": description.platform.arch, "OS": description.platform.os },
                "Resources": { "NanoCPUs": description.capacity.nano_cpus, "MemoryBytes": description.capacity.memory },
                "Engine": { "EngineVersion": description.version },
            }),
        );
        let mut status = Map::new();
        put(&mut status, "State", json!(node.status.state));
        put(&mut status, "Message", json!(node.status.message));
        put(&mut status, "Addr", json!(node.status.address));
        put(&mut status, "Since", json!(rfc3339(node.status.since)));
        object.insert("Status".to_owned(), Value::Object(status));
        if let Some(seat) = &node.manager {
            let reachability = if self.leader || self.reachable { "reachable" } else { "unreachable" };
            object.insert(
                "ManagerStatus".to_owned(),
                json!({ "Leader": self.leader, "Reachability": reachability, "Addr": seat.address, "RaftID": seat.raft_id }),
            );
        }
        object.insert("Overlay".to_owned(), self.overlay());
        Value::Object(object)
    }

    /// Its place in the overlay, and how its data path is.
    fn overlay(&self) -> Value {
        let (node, network) = (&self.node, &self.node.network);
        let conflict = |(port, of): &(u16, Protocol)| format!("{port}/{}", protocol(*of));
        let mut object = Map::new();
        put(&mut object, "Number", json!(node.number));
        put(&mut object, "Addr", json!(node.description.data_address));
        object.insert("Repairs".to_owned(), json!(network.repairs));
        put(&mut object, "Repaired", json!(network.repaired));
        put(&mut object, "Trouble", json!(network.trouble));
        put(&mut object, "Conflicts", network.conflicts.iter().map(conflict).collect());
        Value::Object(object)
    }
}
