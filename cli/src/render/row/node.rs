//! Lines of `node ls`.

use cluster_types::{Availability, GenericPool, GenericPools, NodeState};
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

/// `gpu=2,ssd=1`: how much of each kind it has.
fn generic(pools: &GenericPools) -> String {
    let count = |pool: &GenericPool| match pool {
        GenericPool::Count(count) => *count,
        GenericPool::Named(names) => names.len() as u64,
    };
    pools.iter().map(|(kind, pool)| format!("{kind}={}", count(pool))).collect::<Vec<_>>().join(",")
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
    const HEADINGS: &'static [&'static str] = &["ID", "HOSTNAME", "STATUS", "AVAILABILITY", "MANAGER STATUS", "VERSION", "GENERIC"];
    const OPTIONAL: &'static [&'static str] = &["GENERIC"];

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
            generic(&self.node.description.generic),
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
            "Generic": generic(&self.node.description.generic),
            "Self": self.is_self,
        })
    }
}
