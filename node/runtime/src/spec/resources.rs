//! Limits of the control group, process limits and kernel parameters.

use std::collections::BTreeMap;

use cluster_types::linux::ULIMITS;
use cluster_types::{Limits, NetworkMode, TaskSpec, Ulimit};
use serde_json::{Value, json};

use super::{SpecError, devices};
use crate::grant::Device;

/// Length of a CPU accounting period, in microseconds (Docker's and the kernel's default).
const CPU_PERIOD: u64 = 100_000;

/// Smallest CPU quota that the kernel takes, in microseconds.
const MIN_CPU_QUOTA: u64 = 1_000;

/// Resources of the control group; a zero limit is no limit.
pub(super) fn resources(limits: &Limits, granted: &[Device]) -> Value {
    let mut resources = json!({ "devices": devices::rules(granted) });
    if limits.memory > 0 {
        // Memory and swap together: no swap beyond the limit, as for a swarm service.
        let bytes = i64::try_from(limits.memory).unwrap_or(i64::MAX);
        resources["memory"] = json!({ "limit": bytes, "swap": bytes });
    }
    if limits.nano_cpus > 0 {
        let quota = (limits.nano_cpus / (1_000_000_000 / CPU_PERIOD)).max(MIN_CPU_QUOTA);
        resources["cpu"] = json!({ "period": CPU_PERIOD, "quota": quota.min(i64::MAX.unsigned_abs()) });
    }
    if limits.pids > 0 {
        resources["pids"] = json!({ "limit": i64::try_from(limits.pids).unwrap_or(i64::MAX) });
    }
    resources
}

/// Limits of the process. Names as in `setrlimit(2)`, lower case without `RLIMIT_`.
pub(super) fn rlimits(ulimits: &[Ulimit]) -> Result<Value, SpecError> {
    let mut limits = Vec::new();
    for limit in ulimits {
        if !ULIMITS.contains(&limit.name.as_str()) {
            return Err(SpecError(format!("there is no ulimit `{}`", limit.name)));
        }
        if limit.soft > limit.hard {
            return Err(SpecError(format!("ulimit {}: the soft limit {} is above the hard limit {}", limit.name, limit.soft, limit.hard)));
        }
        let kind = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
        limits.push(json!({ "type": kind, "soft": limit.soft, "hard": limit.hard }));
    }
    Ok(Value::Array(limits))
}

/// Kernel parameters: only those that belong to a namespace of the container.
pub(super) fn sysctls(spec: &TaskSpec) -> Result<BTreeMap<&String, &String>, SpecError> {
    let ipc = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni"];
    let allowed = |name: &str| {
        let network = name.starts_with("net.") && spec.network != NetworkMode::Host;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) && !name.contains("..");
        plain && (network || ipc.contains(&name) || name == "kernel.shm_rmid_forced" || name.starts_with("fs.mqueue."))
    };
    for name in spec.container.sysctls.keys() {
        if !allowed(name) {
            return Err(SpecError(format!("sysctl `{name}` is not one of the container's own namespaces; it cannot be set")));
        }
    }
    Ok(spec.container.sysctls.iter().collect())
}
