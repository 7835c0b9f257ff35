//! Images in the form of an OCI layout: `index.json` points to manifests, everything else is a blob by digest.

use cluster_types::ImageRef;
use serde::Deserialize;

use super::docker;
use super::members::Members;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::MANIFEST_BYTES;
use crate::manifest::{self, Descriptor, Document};
use crate::store::{Candidate, Inner, Pins};

/// Annotations that carry an image's name, the fuller one first.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

/// The images of the archive that run on this host, their content taken into the store.
pub(super) fn candidates(inner: &Inner, members: &Members, pins: &mut Pins) -> Result<Vec<Candidate>, ImageError> {
    let layout: Layout = serde_json::from_slice(&members.bytes("oci-layout", MANIFEST_BYTES)?)
        .map_err(|error| ImageError::Archive(format!("oci-layout: {error}")))?;
    if layout.image_layout_version != "1.0.0" {
        return Err(ImageError::Archive("its OCI layout has an unknown version; 1.0.0 is supported".to_owned()));
    }
    let Document::Index(listed) = manifest::parse(&members.bytes("index.json", MANIFEST_BYTES)?)? else {
        return Err(ImageError::Archive("index.json is no index".to_owned()));
    };
    let fitting: Vec<_> = listed.iter().filter(|entry| entry.platform.as_ref().is_none_or(manifest::Platform::runs_here)).collect();
    if fitting.is_empty() {
        // Says what is offered instead.
        manifest::choose(&listed)?;
    }
    fitting.into_iter().map(|entry| candidate(inner, members, pins, entry)).collect()
}

fn candidate(inner: &Inner, members: &Members, pins: &mut Pins, entry: &Descriptor) -> Result<Candidate, ImageError> {
    let (bytes, index, manifest) = match document(members, entry)? {
        (bytes, Document::Manifest(manifest)) => (bytes, None, manifest),
        (_, Document::Index(listed)) => match document(members, manifest::choose(&listed)?)? {
            (bytes, Document::Manifest(manifest)) => (bytes, Some(entry.digest.clone()), manifest),
            (_, Document::Index(_)) => return Err(ImageError::Archive("an index in it points to another index".to_owned())),
        },
    };
    for content in manifest.layers.iter().chain([&manifest.config]) {
        let staged = members.blob(&content.digest, content.size)?;
        pins.add(&content.digest);
        inner.disk.take(&staged.path, &content.digest)?;
    }
    Ok(Candidate { manifest: bytes, index, names: names(members, entry, &manifest.config.digest)? })
}

fn document(members: &Members, entry: &Descriptor) -> Result<(Vec<u8>, Document), ImageError> {
    let staged = members.blob(&entry.digest, entry.size)?;
    if staged.size > MANIFEST_BYTES {
        return Err(ImageError::Manifest { what: "manifest", reason: format!("it is larger than {MANIFEST_BYTES} bytes") });
    }
    let bytes = std::fs::read(&staged.path).map_err(|error| ImageError::io("read back a member of the archive", error))?;
    let document = manifest::parse(&bytes)?;
    Ok((bytes, document))
}

/// A full name from the annotations, or else what a `manifest.json` beside it says. A bare tag names nothing.
fn names(members: &Members, entry: &Descriptor, id: &Digest) -> Result<Vec<String>, ImageError> {
    let full = NAMES.iter().filter_map(|key| entry.annotations.get(*key)).find(|name| name.contains([':', '/']));
    match full {
        Some(name) => Ok(vec![name.parse::<ImageRef>()?.to_string()]),
        None => docker::names(members, id),
    }
}
