//! Lines of `network ls`.

use serde_json::{Value, json};

use super::{Row, short};
use crate::model::NetworkView;
use crate::render::age;

/// Docker's word for networks that span hosts: the only ones here.
pub(crate) const DRIVER: &str = "overlay";
/// Docker's word for networks of the whole cluster.
pub(crate) const SCOPE: &str = "swarm";

impl Row for NetworkView {
    const HEADINGS: &'static [&'static str] = &["NETWORK ID", "NAME", "DRIVER", "SCOPE", "SUBNET"];

    fn id(&self) -> String {
        self.network.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        vec![short(&self.id(), no_trunc), self.name().to_owned(), DRIVER.to_owned(), SCOPE.to_owned(), self.network.subnet.to_string()]
    }

    /// Docker's client writes truth values and labels as texts here.
    fn json(&self) -> Value {
        let spec = &self.network.spec;
        json!({
            "ID": self.id(),
            "Name": spec.name,
            "Driver": DRIVER,
            "Scope": SCOPE,
            "IPv4": "true",
            "IPv6": "false",
            "Internal": spec.internal.to_string(),
            "Labels": spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","),
            "CreatedAt": age::rfc3339(self.network.meta.created),
            "Subnet": self.network.subnet,
        })
    }
}
