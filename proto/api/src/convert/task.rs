//! Tasks and what is known of them.

use cluster_types::{ContainerStatus, DesiredState, Lifetime, PortBinding, Task, TaskState, TaskStatus, Timestamp, Version};

use super::{FieldError, list, optional, parsed, placement, required, same_values, variant};
use crate::pb;

same_values!(TaskState, pb::TaskState: New = New, Pending = Pending, Assigned = Assigned, Accepted = Accepted, Preparing = Preparing, Ready = Ready, Starting = Starting, Running = Running, Complete = Complete, Shutdown = Shutdown, Failed = Failed, Rejected = Rejected, Remove = Remove, Orphaned = Orphaned);

same_values!(DesiredState, pb::DesiredState: Ready = DesiredReady, Running = DesiredRunning, Shutdown = DesiredShutdown, Remove = DesiredRemove);

impl From<&PortBinding> for pb::PublishedPort {
    fn from(binding: &PortBinding) -> Self {
        (&binding.port).into()
    }
}

impl TryFrom<pb::PublishedPort> for PortBinding {
    type Error = FieldError;

    fn try_from(port: pb::PublishedPort) -> Result<Self, FieldError> {
        Ok(Self { port: port.try_into()? })
    }
}

impl From<&ContainerStatus> for pb::ContainerStatus {
    fn from(status: &ContainerStatus) -> Self {
        Self {
            pid: status.pid,
            exit_code: status.exit_code,
            oom_killed: status.oom_killed,
            address: status.address.clone(),
            ports: status.ports.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::ContainerStatus> for ContainerStatus {
    type Error = FieldError;

    fn try_from(status: pb::ContainerStatus) -> Result<Self, FieldError> {
        Ok(Self {
            pid: status.pid,
            exit_code: status.exit_code,
            oom_killed: status.oom_killed,
            address: status.address,
            ports: list("ports", status.ports)?,
        })
    }
}

impl From<&TaskStatus> for pb::TaskStatus {
    fn from(status: &TaskStatus) -> Self {
        Self {
            state: pb::TaskState::from(status.state).into(),
            at_ms: status.at.0,
            message: status.message.clone(),
            error: status.error.clone(),
            container: status.container.as_ref().map(Into::into),
            health: status.health.as_ref().map(Into::into),
            output: status.output.clone(),
        }
    }
}

impl TryFrom<pb::TaskStatus> for TaskStatus {
    type Error = FieldError;

    fn try_from(status: pb::TaskStatus) -> Result<Self, FieldError> {
        Ok(Self {
            state: variant::<pb::TaskState, _>("state", status.state)?,
            at: Timestamp(status.at_ms),
            message: status.message,
            error: status.error,
            container: optional("container", status.container)?,
            health: optional("health", status.health)?,
            output: status.output,
        })
    }
}

impl From<&Task> for pb::Task {
    fn from(task: &Task) -> Self {
        Self {
            meta: Some((&task.meta).into()),
            id: task.id.to_string(),
            service: task.service.to_string(),
            spec_version: task.spec_version.0,
            slot: task.slot,
            node: task.node.map(|node| node.to_string()).unwrap_or_default(),
            desired: pb::DesiredState::from(task.desired).into(),
            status: Some((&task.status).into()),
            not_before_ms: task.not_before.map(|at| at.0),
            failures: task.failures,
            addresses: task.addresses.iter().map(Into::into).collect(),
            iteration: task.iteration,
            generic: placement::grant(&task.generic),
            relocate: task.relocate,
            ..Self::default()
        }
    }
}

impl TryFrom<pb::Task> for Task {
    type Error = FieldError;

    fn try_from(task: pb::Task) -> Result<Self, FieldError> {
        Ok(Self {
            meta: required("meta", task.meta)?,
            id: parsed("id", &task.id)?,
            service: parsed("service", &task.service)?,
            spec_version: Version(task.spec_version),
            slot: task.slot,
            node: if task.node.is_empty() { None } else { Some(parsed("node", &task.node)?) },
            desired: variant::<pb::DesiredState, _>("desired", task.desired)?,
            status: required("status", task.status)?,
            not_before: task.not_before_ms.map(Timestamp),
            failures: task.failures,
            addresses: list("addresses", task.addresses)?,
            iteration: task.iteration,
            generic: placement::read_grant(task.generic),
            relocate: task.relocate,
            life: Lifetime::default(),
        })
    }
}
