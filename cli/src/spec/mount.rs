//! `--mount type=bind,source=/data,target=/data,readonly`.

use cluster_types::{Mount, MountKind};

#[derive(Default)]
struct Parts {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    size: Option<u64>,
    mode: Option<u32>,
}

/// Reads a mount in docker's form.
pub(crate) fn mount(text: &str) -> Result<Mount, String> {
    let mut parts = Parts::default();
    for part in text.split(',') {
        parts.set(part)?;
    }
    let target = parts.target.clone().ok_or_else(|| format!("`{text}` has no target"))?;
    Ok(Mount { read_only: parts.read_only, kind: parts.kind(text)?, target })
}

impl Parts {
    fn set(&mut self, part: &str) -> Result<(), String> {
        let (key, value) = part.split_once('=').map_or((part, None), |(key, value)| (key, Some(value)));
        let given = || value.map(str::to_owned).ok_or_else(|| format!("`{key}` needs a value"));
        match key.trim().to_ascii_lowercase().as_str() {
            "type" => self.kind = Some(given()?.to_ascii_lowercase()),
            "source" | "src" => self.source = Some(given()?),
            "target" | "destination" | "dst" => self.target = Some(given()?),
            "readonly" | "ro" => self.read_only = truth(value)?,
            "tmpfs-size" => self.size = Some(super::value::bytes(&given()?)?),
            "tmpfs-mode" => self.mode = Some(octal(&given()?)?),
            key if key.starts_with("bind-") || key.starts_with("volume-") || key == "consistency" => {
                return Err(format!("`{key}` of a mount is not supported yet"));
            }
            other => return Err(format!("`{other}` is no key of a mount: use type, source, target, readonly, tmpfs-size and tmpfs-mode")),
        }
        Ok(())
    }

    fn kind(self, text: &str) -> Result<MountKind, String> {
        let tmpfs_only = self.size.is_some() || self.mode.is_some();
        match self.kind.as_deref() {
            Some("bind") if tmpfs_only => Err("tmpfs-size and tmpfs-mode are for type=tmpfs".to_owned()),
            Some("bind") => self.source.map(|source| MountKind::Bind { source }).ok_or_else(|| format!("`{text}` has no source")),
            Some("tmpfs") if self.source.is_some() => Err("a tmpfs mount has no source".to_owned()),
            Some("tmpfs") => Ok(MountKind::Tmpfs { size: self.size, mode: self.mode }),
            // Docker's default type is volume.
            Some("volume") | None => Err("volumes are not supported yet: use type=bind or type=tmpfs".to_owned()),
            Some(other) => Err(format!("mounts of type {other} are not supported yet: use type=bind or type=tmpfs")),
        }
    }
}

fn truth(value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(format!("`{other}` is neither true nor false")),
    }
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| format!("`{text}` is not an octal mode such as 1777"))
}
