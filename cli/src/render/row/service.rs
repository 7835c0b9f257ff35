//! Lines of `service ls`.

use cluster_types::ServiceMode;
use serde_json::{Value, json};

use super::{Row, ports, short};
use crate::model::ServiceView;

/// The word for a service's mode.
pub(crate) fn mode(mode: ServiceMode) -> &'static str {
    match mode {
        ServiceMode::Replicated { .. } => "replicated",
        ServiceMode::Global => "global",
    }
}

/// The line about something that is not as the spec of a service wants it.
pub(crate) fn warning(name: &str, trouble: &str) -> String {
    format!("warning: {name}: {}", trouble.lines().collect::<Vec<_>>().join("; "))
}

impl ServiceView {
    fn replicas(&self) -> String {
        format!("{}/{}", self.running, self.goal())
    }
}

impl Row for ServiceView {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "MODE", "REPLICAS", "IMAGE", "PORTS"];

    fn id(&self) -> String {
        self.service.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        let spec = self.spec();
        let most = spec.task.placement.max_per_node;
        let most = if most == 0 { String::new() } else { format!(" (max {most} per node)") };
        vec![
            short(&self.id(), no_trunc),
            spec.name.clone(),
            mode(spec.mode).to_owned(),
            format!("{}{most}", self.replicas()),
            spec.task.container.image.clone(),
            ports(&self.service.endpoint.ports),
        ]
    }

    fn json(&self) -> Value {
        let spec = self.spec();
        json!({
            "ID": self.id(),
            "Name": spec.name,
            "Mode": mode(spec.mode),
            "Replicas": self.replicas(),
            "Image": spec.task.container.image,
            "Ports": ports(&self.service.endpoint.ports),
        })
    }
}
