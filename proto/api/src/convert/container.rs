//! The container of a task: its process, mounts and limits of the process.

use std::time::Duration;

use cluster_types::{ContainerSpec, Mount, MountKind, Ulimit};

use super::{FieldError, list, millis, optional, required, to_map};
use crate::pb;

impl From<&Ulimit> for pb::Ulimit {
    fn from(ulimit: &Ulimit) -> Self {
        Self { name: ulimit.name.clone(), soft: ulimit.soft, hard: ulimit.hard }
    }
}

impl TryFrom<pb::Ulimit> for Ulimit {
    type Error = FieldError;

    fn try_from(ulimit: pb::Ulimit) -> Result<Self, FieldError> {
        Ok(Self { name: ulimit.name, soft: ulimit.soft, hard: ulimit.hard })
    }
}

impl From<&MountKind> for pb::mount::Kind {
    fn from(kind: &MountKind) -> Self {
        match kind {
            MountKind::Bind { source } => Self::Bind(pb::BindMount { source: source.clone() }),
            MountKind::Tmpfs { size, mode } => Self::Tmpfs(pb::TmpfsMount { size: *size, mode: *mode }),
        }
    }
}

impl TryFrom<pb::mount::Kind> for MountKind {
    type Error = FieldError;

    fn try_from(kind: pb::mount::Kind) -> Result<Self, FieldError> {
        Ok(match kind {
            pb::mount::Kind::Bind(bind) => Self::Bind { source: bind.source },
            pb::mount::Kind::Tmpfs(tmpfs) => Self::Tmpfs { size: tmpfs.size, mode: tmpfs.mode },
        })
    }
}

impl From<&Mount> for pb::Mount {
    fn from(mount: &Mount) -> Self {
        Self { target: mount.target.clone(), read_only: mount.read_only, kind: Some((&mount.kind).into()) }
    }
}

impl TryFrom<pb::Mount> for Mount {
    type Error = FieldError;

    fn try_from(mount: pb::Mount) -> Result<Self, FieldError> {
        Ok(Self { kind: required("kind", mount.kind)?, target: mount.target, read_only: mount.read_only })
    }
}

impl From<&ContainerSpec> for pb::ContainerSpec {
    fn from(spec: &ContainerSpec) -> Self {
        Self {
            image: spec.image.clone(),
            command: spec.command.as_ref().map(|items| pb::StringList { items: items.clone() }),
            args: spec.args.clone(),
            env: spec.env.clone(),
            dir: spec.dir.clone(),
            user: spec.user.clone(),
            groups: spec.groups.clone(),
            hostname: spec.hostname.clone(),
            labels: to_map(&spec.labels),
            mounts: spec.mounts.iter().map(Into::into).collect(),
            hosts: spec.hosts.clone(),
            dns: spec.dns.clone(),
            init: spec.init,
            read_only: spec.read_only,
            no_new_privileges: spec.no_new_privileges,
            cap_add: spec.cap_add.clone(),
            cap_drop: spec.cap_drop.clone(),
            ulimits: spec.ulimits.iter().map(Into::into).collect(),
            sysctls: to_map(&spec.sysctls),
            stop_signal: spec.stop_signal.clone(),
            stop_grace_ms: millis(spec.stop_grace),
            health: Some((&spec.health).into()),
            readiness: spec.readiness.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::ContainerSpec> for ContainerSpec {
    type Error = FieldError;

    fn try_from(spec: pb::ContainerSpec) -> Result<Self, FieldError> {
        Ok(Self {
            image: spec.image,
            command: spec.command.map(|list| list.items),
            args: spec.args,
            env: spec.env,
            dir: spec.dir,
            user: spec.user,
            groups: spec.groups,
            hostname: spec.hostname,
            labels: spec.labels.into_iter().collect(),
            mounts: list("mounts", spec.mounts)?,
            hosts: spec.hosts,
            dns: spec.dns,
            init: spec.init,
            read_only: spec.read_only,
            no_new_privileges: spec.no_new_privileges,
            cap_add: spec.cap_add,
            cap_drop: spec.cap_drop,
            ulimits: list("ulimits", spec.ulimits)?,
            sysctls: spec.sysctls.into_iter().collect(),
            stop_signal: spec.stop_signal,
            stop_grace: Duration::from_millis(spec.stop_grace_ms),
            health: optional("health", spec.health)?.unwrap_or_default(),
            readiness: optional("readiness", spec.readiness)?,
        })
    }
}
