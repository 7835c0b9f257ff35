//! A node as `docker node inspect` prints it.

use serde_json::{Map, Value, json};

use super::{head, put};
use crate::model::NodeView;
use crate::render::age::rfc3339;

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
        Value::Object(object)
    }
}
