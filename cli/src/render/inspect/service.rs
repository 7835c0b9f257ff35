//! A service as `docker service inspect` prints it.

use cluster_types::{UpdateState, UpdateStatus};
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
        object.insert(
            "Endpoint".to_owned(),
            json!({ "Spec": spec::endpoint(&service.spec.ports), "Ports": spec::ports(&service.spec.ports) }),
        );
        object.insert("ServiceStatus".to_owned(), json!({ "RunningTasks": self.running, "DesiredTasks": self.goal() }));
        if let Some(update) = &service.update {
            object.insert("UpdateStatus".to_owned(), status(update));
        }
        Value::Object(object)
    }
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
