//! What the tests of this crate begin with.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{DesiredState, ServiceId, TaskAssignment, TaskId, TaskSpec};

/// A task of a service `web`, of which this is wanted.
pub(crate) fn assignment(desired: DesiredState) -> TaskAssignment {
    TaskAssignment {
        task: TaskId::from_bits(1),
        service: ServiceId::from_bits(1),
        service_name: "web".to_owned(),
        slot: 1,
        desired,
        spec: Arc::new(TaskSpec::default()),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: BTreeMap::new(),
    }
}
