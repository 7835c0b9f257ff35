//! A service as `docker service inspect` prints it.

use std::net::Ipv4Addr;

use cluster_types::{NetworkId, PublishMode, UpdateState, UpdateStatus};
use serde_json::{Map, Value, json};

use super::{head, put, spec};
use crate::model::ServiceView;
use crate::render::age::rfc3339;

impl ServiceView {
    /// The whole service.
    pub(crate) fn inspect(&self) -> Value {
        let service = &self.service;
        let mut object = head(&service.id.to_string(), &service.meta);
        object.insert("Spec".to_owned(), spec::service(&service.spec));
        object.insert("Endpoint".to_owned(), self.endpoint());
        object.insert("ServiceStatus".to_owned(), json!({ "RunningTasks": self.running, "DesiredTasks": self.goal() }));
        if let Some(update) = &service.update {
            object.insert("UpdateStatus".to_owned(), status(update));
        }
        Value::Object(object)
    }

    /// What it was given. Ports of its tasks' hosts alone are as the spec wants them: each host may have another number.
    fn endpoint(&self) -> Value {
        let (spec, has) = (&self.service.spec, &self.service.endpoint);
        let hosts = spec.ports.iter().filter(|port| port.mode == PublishMode::Host);
        let ports: Vec<_> = has.ports.iter().chain(hosts).copied().collect();
        let mut object = Map::new();
        object.insert("Spec".to_owned(), spec::endpoint(spec));
        put(&mut object, "Ports", spec::ports(&ports));
        put(&mut object, "VirtualIPs", has.vips.iter().map(address).collect());
        put(&mut object, "Error", json!(has.error));
        put(&mut object, "Conflicts", json!(self.conflicts));
        Value::Object(object)
    }
}

/// Docker writes addresses with a prefix; here each is routed alone.
fn address((network, address): (&NetworkId, &Ipv4Addr)) -> Value {
    json!({ "NetworkID": network.to_string(), "Addr": format!("{address}/32") })
}

fn status(update: &UpdateStatus) -> Value {
    let state = match update.state {
        UpdateState::Updating => "updating",
        UpdateState::Completed => "completed",
    };
    let mut object = Map::new();
    put(&mut object, "State", json!(state));
    put(&mut object, "StartedAt", json!(rfc3339(update.started)));
    put(&mut object, "CompletedAt", json!(update.completed.map(rfc3339)));
    put(&mut object, "Message", json!(update.message));
    Value::Object(object)
}
