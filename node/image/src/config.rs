//! Reads an image's configuration file (the OCI image config, which docker's is too).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::ImageConfig;
use crate::limits::{CONFIG_BYTES, LAYERS};
use crate::platform;

/// What the store takes from a configuration file.
#[derive(Debug)]
pub(crate) struct ParsedConfig {
    pub(crate) created: Option<String>,
    pub(crate) config: ImageConfig,
    /// Digests of the uncompressed layers, lowest first.
    pub(crate) diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    created: Option<String>,
    config: Option<Section>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

/// Docker writes `null` for what is not set.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Section {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    labels: Option<BTreeMap<String, String>>,
    healthcheck: Option<serde_json::Value>,
}

/// Reads a configuration and refuses one for other machines.
pub(crate) fn parse(bytes: &[u8]) -> Result<ParsedConfig, ImageError> {
    let refuse = |reason: String| ImageError::Manifest { what: "configuration", reason };
    if bytes.len() as u64 > CONFIG_BYTES {
        return Err(refuse(format!("it is larger than {CONFIG_BYTES} bytes")));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    if !platform::runs_here(&file.os, &file.architecture) {
        return Err(platform::refusal(format!("{}/{}", file.os, file.architecture)));
    }
    if file.rootfs.diff_ids.is_empty() {
        return Err(refuse("it names no layers, so there is nothing to run".to_owned()));
    }
    if file.rootfs.diff_ids.len() > LAYERS {
        return Err(refuse(format!("it names more than {LAYERS} layers")));
    }
    let config = file.config.unwrap_or_default().into();
    Ok(ParsedConfig { created: file.created, config, diff_ids: file.rootfs.diff_ids })
}

impl From<Section> for ImageConfig {
    fn from(section: Section) -> Self {
        let keys = |map: Option<BTreeMap<String, serde_json::Value>>| map.unwrap_or_default().into_keys().collect();
        Self {
            entrypoint: section.entrypoint.unwrap_or_default(),
            cmd: section.cmd.unwrap_or_default(),
            env: section.env.unwrap_or_default(),
            workdir: section.working_dir.unwrap_or_default(),
            user: section.user.unwrap_or_default(),
            stop_signal: section.stop_signal.filter(|signal| !signal.is_empty()),
            exposed_ports: keys(section.exposed_ports),
            volumes: keys(section.volumes),
            labels: section.labels.unwrap_or_default(),
            healthcheck: section.healthcheck.filter(|value| !value.is_null()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(os: &str, diff_ids: &[Digest]) -> Vec<u8> {
        let arch = platform::architecture();
        let config = json!({"Cmd": ["/bin/sh"], "Env": null, "ExposedPorts": {"80/tcp": {}}, "StopSignal": ""});
        json!({"architecture": arch, "os": os, "config": config, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).to_string().into()
    }

    #[test]
    fn a_docker_configuration_is_read() {
        let layer = Digest::of(b"layer");
        let parsed = parse(&text("linux", std::slice::from_ref(&layer))).unwrap();
        assert_eq!(parsed.diff_ids, [layer]);
        assert_eq!((parsed.config.cmd, parsed.config.exposed_ports), (vec!["/bin/sh".to_owned()], vec!["80/tcp".to_owned()]));
        assert_eq!(parsed.config.stop_signal, None);
    }

    #[test]
    fn other_platforms_and_empty_images_are_refused() {
        assert!(matches!(parse(&text("windows", &[Digest::of(b"")])), Err(ImageError::Platform { .. })));
        assert!(matches!(parse(&text("linux", &[])), Err(ImageError::Manifest { .. })));
        let many: Vec<_> = (0..=LAYERS).map(|n| Digest::of(&n.to_le_bytes())).collect();
        assert!(matches!(parse(&text("linux", &many)), Err(ImageError::Manifest { .. })));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
