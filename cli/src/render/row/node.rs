//! Lines of `node ls`.

use cluster_types::{Availability, NodeState};
use serde_json::{Value, json};

use super::{Row, capital, short};
use crate::model::NodeView;

/// The word for a node's state.
pub(crate) fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Unknown => "unknown",
        NodeState::Ready => "ready",
        NodeState::Disconnected => "disconnected",
        NodeState::Down => "down",
    }
}

/// The word for a node's availability.
pub(crate) fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::Active => "active",
        Availability::Pause => "pause",
        Availability::Drain => "drain",
    }
}

impl NodeView {
    /// `Leader`, `Reachable`, `Unreachable`, or nothing for a worker.
    fn manager_status(&self) -> &'static str {
        match (&self.node.manager, self.leader, self.reachable) {
            (None, ..) => "",
            (Some(_), true, _) => "Leader",
            (Some(_), false, true) => "Reachable",
            (Some(_), false, false) => "Unreachable",
        }
    }
}

impl Row for NodeView {
    const HEADINGS: &'static [&'static str] = &["ID", "HOSTNAME", "STATUS", "AVAILABILITY", "MANAGER STATUS", "VERSION"];

    fn id(&self) -> String {
        self.node.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        let mark = if self.is_self { " *" } else { "" };
        vec![
            format!("{}{mark}", short(&self.id(), no_trunc)),
            self.node.description.hostname.clone(),
            capital(state(self.node.status.state)),
            capital(availability(self.node.spec.availability)),
            self.manager_status().to_owned(),
            self.node.description.version.clone(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "ID": self.id(),
            "Hostname": self.node.description.hostname,
            "Status": capital(state(self.node.status.state)),
            "Availability": capital(availability(self.node.spec.availability)),
            "ManagerStatus": self.manager_status(),
            "EngineVersion": self.node.description.version,
            "Self": self.is_self,
        })
    }
}
