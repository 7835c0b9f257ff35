//! Images in the form of `docker save`: `manifest.json` names configuration, tags and layers of each image.
//!
//! The form has no OCI manifest, so one is made; the layers are checked against the configuration when they are unpacked.

use cluster_types::ImageRef;
use serde::Deserialize;
use serde_json::json;

use super::members::Members;
use crate::compression;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::{CONFIG_BYTES, INDEX_ENTRIES, LAYERS, MANIFEST_BYTES};
use crate::manifest::MANIFEST_TYPES;
use crate::store::{Candidate, Inner, Pins};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The images of the archive, their content taken into the store.
pub(super) fn candidates(inner: &Inner, members: &Members, pins: &mut Pins) -> Result<Vec<Candidate>, ImageError> {
    let bytes = members.bytes("manifest.json", MANIFEST_BYTES)?;
    let saved: Vec<Saved> = serde_json::from_slice(&bytes).map_err(|error| ImageError::Archive(format!("manifest.json: {error}")))?;
    if saved.is_empty() || saved.len() > INDEX_ENTRIES {
        return Err(ImageError::Archive(format!("manifest.json lists {} images", saved.len())));
    }
    saved.iter().map(|saved| candidate(inner, members, pins, saved)).collect()
}

/// Names that `manifest.json` gives to the image with this configuration; empty where it gives none.
pub(super) fn names(members: &Members, id: &Digest) -> Result<Vec<String>, ImageError> {
    if !members.has("manifest.json") {
        return Ok(Vec::new());
    }
    let bytes = members.bytes("manifest.json", MANIFEST_BYTES)?;
    let saved: Vec<Saved> = serde_json::from_slice(&bytes).map_err(|error| ImageError::Archive(format!("manifest.json: {error}")))?;
    let fitting = saved.iter().filter(|saved| members.get(&saved.config).is_ok_and(|config| config.digest == *id));
    Ok(fitting.map(tags).collect::<Result<Vec<_>, _>>()?.concat())
}

fn candidate(inner: &Inner, members: &Members, pins: &mut Pins, saved: &Saved) -> Result<Candidate, ImageError> {
    if saved.layers.is_empty() || saved.layers.len() > LAYERS {
        return Err(ImageError::Archive(format!("an image has {} layers; 1 to {LAYERS} are accepted", saved.layers.len())));
    }
    let config = members.get(&saved.config)?.clone();
    members.bytes(&saved.config, CONFIG_BYTES)?;
    check_name(&saved.config, &config.digest)?;
    let mut layers = Vec::new();
    for name in &saved.layers {
        let layer = members.get(name)?;
        let form = compression::suffix(&layer.path).map_err(|error| ImageError::io("read back a layer of the archive", error))?;
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{form}");
        layers.push(json!({"mediaType": media_type, "digest": layer.digest, "size": layer.size}));
        pins.add(&layer.digest);
        inner.disk.take(&layer.path, &layer.digest)?;
    }
    pins.add(&config.digest);
    inner.disk.take(&config.path, &config.digest)?;
    let pointer = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.digest, "size": config.size});
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": pointer, "layers": layers});
    Ok(Candidate { manifest: manifest.to_string().into(), index: None, names: tags(saved)? })
}

/// Docker names a configuration by its digest: `HEX.json` or `blobs/sha256/HEX`. Where it does, the name is checked.
fn check_name(name: &str, found: &Digest) -> Result<(), ImageError> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let hex = last.strip_suffix(".json").unwrap_or(last);
    match Digest::parse(&format!("sha256:{hex}")) {
        Ok(expected) if expected != *found => Err(ImageError::Digest {
            what: "the image's configuration".to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn tags(saved: &Saved) -> Result<Vec<String>, ImageError> {
    let tags = saved.repo_tags.iter().flatten();
    Ok(tags.map(|tag| tag.parse::<ImageRef>().map(|image| image.to_string())).collect::<Result<_, _>>()?)
}
