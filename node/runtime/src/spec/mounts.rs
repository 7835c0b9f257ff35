//! The mounts of a container: Docker's defaults, its three written files, and what the spec asks for.

use cluster_types::{Mount, MountKind, NetworkMode};
use serde_json::{Value, json};

use super::{HostPaths, SpecError};
use crate::cgroup::Layout;
use crate::record::Record;

/// Paths that show nothing.
pub(super) const MASKED_PATHS: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Paths that cannot be written. The folder of the control groups is one, because the mounts in it have to be made first.
pub(super) const READ_ONLY_PATHS: [&str; 6] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"];

/// Size of `/dev/shm`: Docker's default.
const SHM_SIZE: &str = "size=65536k";

/// All mounts, in the order in which they are made.
pub(super) fn mounts(record: &Record, paths: HostPaths<'_>) -> Result<Value, SpecError> {
    let spec = &record.config.spec.container;
    let mut all = system_mounts(record.config.spec.network);
    all.extend(cgroup_mounts(&record.layout, &record.cgroup));
    let access = if spec.read_only { "ro" } else { "rw" };
    for (target, source) in [("/etc/resolv.conf", paths.resolv_conf), ("/etc/hostname", paths.hostname), ("/etc/hosts", paths.hosts)] {
        // A mount of the user's own on one of these files replaces it.
        if !spec.mounts.iter().any(|mount| mount.target == target) {
            all.push(json!({ "destination": target, "type": "bind", "source": source, "options": ["bind", "private", access] }));
        }
    }
    for mount in &spec.mounts {
        all.push(user_mount(mount)?);
    }
    for mount in &record.edits.mounts {
        all.push(json!({ "destination": mount.target, "type": "bind", "source": mount.source, "options": mount.options }));
    }
    Ok(Value::Array(all))
}

fn system_mounts(network: NetworkMode) -> Vec<Value> {
    let mount =
        |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let sysfs = match network {
        NetworkMode::Default | NetworkMode::None | NetworkMode::Host => mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    };
    vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        sysfs,
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", SHM_SIZE]),
    ]
}

/// The container sees its own group, read-only: it could raise its limits otherwise.
fn cgroup_mounts(layout: &Layout, group: &str) -> Vec<Value> {
    let options = ["nosuid", "noexec", "nodev"];
    match layout {
        Layout::Unified => {
            vec![
                json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [options[0], options[1], options[2], "ro"] }),
            ]
        }
        Layout::Split { controllers } => {
            let mut all = vec![json!({
                "destination": "/sys/fs/cgroup", "type": "tmpfs", "source": "tmpfs", "options": [options[0], options[1], options[2], "mode=755", "size=64k"]
            })];
            for controller in controllers {
                let target = format!("/sys/fs/cgroup/{controller}");
                let source = format!("{target}/{}", group.trim_start_matches('/'));
                all.push(json!({ "destination": target, "type": "bind", "source": source, "options": ["bind", "ro", options[0], options[1], options[2]] }));
            }
            all
        }
    }
}

fn user_mount(mount: &Mount) -> Result<Value, SpecError> {
    let target = &mount.target;
    if !target.starts_with('/') || target == "/" || target.contains('\0') || target.split('/').any(|part| part == "..") {
        return Err(SpecError(format!("the mount target `{target}` is not an absolute path below the root")));
    }
    let access = if mount.read_only { "ro" } else { "rw" };
    match &mount.kind {
        MountKind::Bind { source } if !source.starts_with('/') => {
            Err(SpecError(format!("the mount source `{source}` is not an absolute path")))
        }
        MountKind::Bind { source } => {
            // Also what is mounted below the source is shown, and read-only where asked.
            let access = if mount.read_only { "rro" } else { "rw" };
            Ok(json!({ "destination": target, "type": "bind", "source": source, "options": ["rbind", "rprivate", access] }))
        }
        MountKind::Tmpfs { size, mode } => {
            let mut options = vec!["nosuid".to_owned(), "nodev".to_owned(), "noexec".to_owned(), access.to_owned()];
            options.push(format!("mode={:o}", mode.unwrap_or(0o1777) & 0o7777));
            options.extend(size.map(|bytes| format!("size={bytes}")));
            Ok(json!({ "destination": target, "type": "tmpfs", "source": "tmpfs", "options": options }))
        }
    }
}
