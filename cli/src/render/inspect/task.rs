//! A task as `docker inspect` prints it.

use cluster_types::TaskAddress;
use serde_json::{Map, Value, json};

use super::{generic, head, put, spec};
use crate::model::TaskView;
use crate::render::age::rfc3339;

impl TaskView {
    /// The whole task.
    pub(crate) fn inspect(&self) -> Value {
        let task = &self.task;
        let mut object = head(&task.id.to_string(), &task.meta);
        put(&mut object, "Name", json!(self.name()));
        put(&mut object, "ServiceID", json!(task.service.to_string()));
        put(&mut object, "Slot", json!(task.slot));
        put(&mut object, "NodeID", json!(task.node.map(|node| node.to_string())));
        put(&mut object, "NodeHostname", json!(self.node_hostname));
        put(&mut object, "Image", json!(self.image));
        let attachment =
            |has: &TaskAddress| json!({ "Network": { "ID": has.network.to_string() }, "Addresses": [format!("{}/32", has.address)] });
        put(&mut object, "NetworksAttachments", task.addresses.iter().map(attachment).collect());
        put(&mut object, "AssignedGenericResources", generic::grant(&task.generic));
        put(&mut object, "SpecVersion", json!({ "Index": task.spec_version.0 }));
        if task.iteration > 0 {
            put(&mut object, "JobIteration", json!({ "Index": task.iteration }));
        }
        if task.relocate {
            put(&mut object, "Relocate", json!(true));
        }
        put(&mut object, "Failures", json!(task.failures));
        let mut status = Map::new();
        put(&mut status, "Timestamp", json!(rfc3339(task.status.at)));
        put(&mut status, "State", json!(task.status.state));
        put(&mut status, "Message", json!(task.status.message));
        put(&mut status, "Err", json!(task.status.error));
        put(&mut status, "Output", json!(task.status.output));
        if let Some(health) = &task.status.health {
            let seen = json!({ "Status": health.state, "Ready": health.ready, "Output": health.output });
            put(&mut status, "Health", seen);
        }
        if let Some(container) = &task.status.container {
            let mut seen = Map::new();
            put(&mut seen, "ContainerID", json!(task.id.to_string()));
            put(&mut seen, "PID", json!(container.pid));
            seen.insert("ExitCode".to_owned(), json!(container.exit_code));
            put(&mut seen, "Address", json!(container.address));
            seen.insert("OOMKilled".to_owned(), json!(container.oom_killed));
            status.insert("ContainerStatus".to_owned(), Value::Object(seen));
        }
        put(&mut status, "PortStatus", json!({ "Ports": spec::ports(&self.open_ports()) }));
        object.insert("Status".to_owned(), Value::Object(status));
        put(&mut object, "DesiredState", json!(task.desired));
        put(&mut object, "NotBefore", json!(task.not_before.map(rfc3339)));
        Value::Object(object)
    }
}
