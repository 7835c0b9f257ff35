//! What the generic resources of a task add to its container: variables that name them, device nodes, and what CDI specs ask for.
//!
//! Looked up when the container is prepared, and kept in its record. An instance that is the path of a device becomes that device; one that
//! is a CDI name (`vendor.com/class=name`) becomes what its spec says; any other is a name and nothing more.

mod cdi;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use cluster_types::GenericGrant;
use serde::{Deserialize, Serialize};

/// Where CDI specs are looked for, the more important first.
pub(crate) const CDI_DIRS: [&str; 2] = ["/var/run/cdi", "/etc/cdi"];

/// What is added to a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Edits {
    /// `KEY=VALUE`, later than those of image and spec.
    pub env: Vec<String>,
    /// Device nodes that it may use.
    pub devices: Vec<Device>,
    /// Paths of the host that it sees.
    pub mounts: Vec<BindMount>,
}

/// A device node in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its path in the container.
    pub path: String,
    /// A block device, or else a character device.
    pub block: bool,
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Of `rwm`: read, write, make.
    pub access: String,
    /// Mode of the node.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A bind mount in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindMount {
    /// On the host.
    pub source: String,
    /// In the container.
    pub target: String,
    /// As OCI runtimes take them.
    pub options: Vec<String>,
}

/// What a grant adds. The error names what is missing on this host.
pub(crate) fn edits(grant: &GenericGrant, cdi_dirs: &[&Path]) -> Result<Edits, String> {
    let mut edits = Edits::default();
    for (kind, names) in grant {
        let named = |error: String| format!("generic resource {kind}: {error}");
        for name in names {
            if name.starts_with("/dev/") {
                edits.devices.push(Device::on_host(name, name).map_err(named)?);
            } else if let Some(device) = cdi::Name::parse(name) {
                cdi::apply(device, cdi_dirs, &mut edits).map_err(named)?;
            }
        }
        let variable = variable(kind);
        edits.env.extend(["CLUSTER", "DOCKER"].map(|by| format!("{by}_RESOURCE_{variable}={}", names.join(","))));
    }
    edits.devices.dedup();
    Ok(edits)
}

/// `fpga.x` as `FPGA_X`.
fn variable(kind: &str) -> String {
    kind.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

impl Device {
    /// A device of the host, as it is there.
    fn on_host(host: &str, path: &str) -> Result<Self, String> {
        let metadata = std::fs::metadata(host).map_err(|error| format!("cannot use the device {host}: {error}"))?;
        let kind = metadata.file_type();
        if !kind.is_block_device() && !kind.is_char_device() {
            return Err(format!("{host} is not a device"));
        }
        let number = metadata.rdev();
        Ok(Self {
            path: path.to_owned(),
            block: kind.is_block_device(),
            major: i64::from(rustix::fs::major(number)),
            minor: i64::from(rustix::fs::minor(number)),
            access: "rwm".to_owned(),
            mode: metadata.mode() & 0o777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }
}

#[cfg(test)]
mod tests;
