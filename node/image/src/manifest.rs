//! Reads OCI and docker manifests and indexes, strictly: a document that could be taken for both is refused (CVE-2021-41190).

use serde::Deserialize;

use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::{INDEX_ENTRIES, LAYERS, MANIFEST_BYTES};
use crate::platform;

/// Media types of one image.
pub(crate) const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// Media types of a choice of images.
pub(crate) const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
/// Media types of an image's configuration.
const CONFIG_TYPES: [&str; 2] = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What a document that a registry or an archive calls a manifest is.
#[derive(Debug)]
pub(crate) enum Document {
    /// One image.
    Manifest(Manifest),
    /// A choice of images.
    Index(Vec<Descriptor>),
}

/// One image: where its configuration and its layers are.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    /// Lowest first.
    pub(crate) layers: Vec<Descriptor>,
}

/// A pointer to content.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) platform: Option<Platform>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

/// What an image in an index runs on.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde_json::Value>,
}

/// Reads a manifest or an index.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, ImageError> {
    if bytes.len() as u64 > MANIFEST_BYTES {
        return Err(refuse(format!("it is larger than {MANIFEST_BYTES} bytes")));
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    if raw.schema_version != 2 || raw.fs_layers.is_some() {
        return Err(refuse("only schema version 2 is supported: push the image anew with a current tool"));
    }
    let media_type = raw.media_type.unwrap_or_default();
    match (raw.config, raw.layers, raw.manifests) {
        (Some(config), Some(layers), None) => {
            check_type(&media_type, &MANIFEST_TYPES)?;
            manifest(config, layers).map(Document::Manifest)
        }
        (None, None, Some(manifests)) => {
            check_type(&media_type, &INDEX_TYPES)?;
            if manifests.len() > INDEX_ENTRIES {
                return Err(refuse(format!("it lists more than {INDEX_ENTRIES} images")));
            }
            Ok(Document::Index(manifests))
        }
        (None, None, None) => Err(refuse("it has neither `layers` nor `manifests`")),
        (_, _, Some(_)) => Err(refuse("it is ambiguous: it has `manifests` and also `config` or `layers`")),
        (_, _, None) => Err(refuse("it needs both `config` and `layers`")),
    }
}

fn check_type(found: &str, fitting: &[&str]) -> Result<(), ImageError> {
    if found.is_empty() || fitting.contains(&found) {
        return Ok(());
    }
    Err(refuse(format!("its media type `{}` does not fit its content", shown(found))))
}

fn manifest(config: Descriptor, layers: Vec<Descriptor>) -> Result<Manifest, ImageError> {
    if !config.media_type.is_empty() && !CONFIG_TYPES.contains(&config.media_type.as_str()) {
        return Err(refuse(format!("it is no container image but an artifact of type `{}`", shown(&config.media_type))));
    }
    if layers.is_empty() || layers.len() > LAYERS {
        return Err(refuse(format!("it has {} layers; 1 to {LAYERS} are accepted", layers.len())));
    }
    let foreign = |layer: &&Descriptor| !layer.urls.is_empty() || layer.media_type.contains("foreign");
    if let Some(layer) = layers.iter().find(foreign) {
        return Err(refuse(format!("layer {} is to be fetched from another host, which is not done", layer.digest)));
    }
    Ok(Manifest { config, layers })
}

/// The entry of an index that runs on this host: the first that says so.
pub(crate) fn choose(manifests: &[Descriptor]) -> Result<&Descriptor, ImageError> {
    let fits = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == platform::architecture());
    if let Some(found) = manifests.iter().find(fits) {
        return Ok(found);
    }
    if let [only] = manifests
        && only.platform.is_none()
    {
        return Ok(only);
    }
    let offered = manifests.iter().filter_map(|entry| entry.platform.as_ref());
    let offered: Vec<_> = offered.take(16).map(|p| format!("{}/{}", shown(&p.os), shown(&p.architecture))).collect();
    Err(platform::refusal(if offered.is_empty() { "no named platform".to_owned() } else { offered.join(", ") }))
}

impl Platform {
    /// Whether an image for it runs here.
    pub(crate) fn runs_here(&self) -> bool {
        platform::runs_here(&self.os, &self.architecture)
    }
}

fn refuse(reason: impl Into<String>) -> ImageError {
    ImageError::Manifest { what: "manifest", reason: reason.into() }
}

/// Text from outside, short and without control characters.
fn shown(text: &str) -> String {
    text.chars().take(100).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests;
