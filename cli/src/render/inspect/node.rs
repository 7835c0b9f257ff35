//! A node as `docker node inspect` prints it.

use cluster_types::{Availability, Protocol};
use serde_json::{Map, Value, json};

use super::{generic, head, put};
use crate::model::NodeView;
use crate::render::age::rfc3339;
use crate::render::row::protocol;

impl NodeView {
    /// The whole node.
    pub(crate) fn inspect(&self) -> Value {
        let node = &self.node;
        let mut object = head(&node.id.to_string(), &node.meta);
        let mut spec = Map::new();
        spec.insert("Labels".to_owned(), json!(node.spec.labels));
        put(&mut spec, "Role", json!(node.spec.role));
        put(&mut spec, "Availability", json!(node.spec.availability));
        if node.spec.availability == Availability::Drain {
            let drain = node.spec.drain;
            spec.insert("Drain".to_owned(), json!({ "MaxUnavailable": drain.max_unavailable, "Deadline": drain.deadline.map(rfc3339) }));
        }
        object.insert("Spec".to_owned(), Value::Object(spec));
        let description = &node.description;
        let mut resources = Map::new();
        put(&mut resources, "NanoCPUs", json!(description.capacity.nano_cpus));
        put(&mut resources, "MemoryBytes", json!(description.capacity.memory));
        put(&mut resources, "GenericResources", generic::pools(&description.generic));
        object.insert(
            "Description".to_owned(),
            json!({
                "Hostname": description.hostname,
                "Platform": { "Architecture": description.platform.arch, "OS": description.platform.os },
                "Resources": resources,
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
