//! The Container Device Interface: JSON files in which a vendor says what a container needs for a device. Variables, device nodes and mounts
//! are honoured; hooks are not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{BindMount, Device, Edits};

/// Largest spec that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// `vendor.com/class=name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    kind: &'a str,
    device: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (kind, device) = text.split_once('=')?;
        let (vendor, class) = kind.split_once('/')?;
        (!vendor.is_empty() && !class.is_empty() && !device.is_empty()).then_some(Self { kind, device })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    kind: String,
    #[serde(default)]
    devices: Vec<SpecDevice>,
    #[serde(default)]
    container_edits: ContainerEdits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecDevice {
    name: String,
    #[serde(default)]
    container_edits: ContainerEdits,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ContainerEdits {
    env: Vec<String>,
    device_nodes: Vec<DeviceNode>,
    mounts: Vec<SpecMount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceNode {
    path: String,
    host_path: Option<String>,
    permissions: Option<String>,
    file_mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecMount {
    host_path: String,
    container_path: String,
    #[serde(default)]
    options: Vec<String>,
}

/// Adds what a device asks for, and what its spec asks for with any of its devices.
pub(super) fn apply(name: Name<'_>, dirs: &[&Path], edits: &mut Edits) -> Result<(), String> {
    for file in dirs.iter().flat_map(|dir| files(dir)) {
        let Some(spec) = read(&file) else { continue };
        let found = spec.devices.iter().find(|device| spec.kind == name.kind && device.name == name.device);
        if let Some(device) = found {
            add(&spec.container_edits, edits)?;
            return add(&device.container_edits, edits);
        }
    }
    let places: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    Err(format!("there is no CDI device {}={} on this host: no JSON spec in {} has it", name.kind, name.device, places.join(" or ")))
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// A spec; one that cannot be read belongs to somebody else's devices.
fn read(file: &Path) -> Option<Spec> {
    if fs::metadata(file).ok()?.len() > MAX_FILE {
        return None;
    }
    let parsed = serde_json::from_slice(&fs::read(file).ok()?);
    parsed.inspect_err(|error| tracing::warn!(%error, file = %file.display(), "a CDI spec cannot be read")).ok()
}

/// Adds what is not there yet: two devices of a spec bring its own part twice.
fn add(more: &ContainerEdits, edits: &mut Edits) -> Result<(), String> {
    for entry in &more.env {
        push(&mut edits.env, entry.clone());
    }
    for node in &more.device_nodes {
        let mut device = Device::on_host(node.host_path.as_deref().unwrap_or(&node.path), &node.path)?;
        device.access = node.permissions.clone().filter(|access| !access.is_empty()).unwrap_or(device.access);
        device.mode = node.file_mode.map_or(device.mode, |mode| mode & 0o777);
        device.uid = node.uid.unwrap_or(device.uid);
        device.gid = node.gid.unwrap_or(device.gid);
        push(&mut edits.devices, device);
    }
    for mount in &more.mounts {
        let options = if mount.options.is_empty() { vec!["ro".to_owned()] } else { mount.options.clone() };
        let bind = ["rbind", "bind"].iter().any(|bind| options.iter().any(|option| option == bind));
        let options = if bind { options } else { [vec!["rbind".to_owned()], options].concat() };
        push(&mut edits.mounts, BindMount { source: mount.host_path.clone(), target: mount.container_path.clone(), options });
    }
    Ok(())
}

fn push<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}
