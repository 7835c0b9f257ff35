//! Imports images from an archive: an OCI layout or what `docker save` writes, as one tar, plain or compressed.
//!
//! The archive is read once, from start to end, so a pipe will do. Its members go to files that are named here, not by the archive;
//! each is hashed on the way, and only content whose digest is right is taken into the store.

mod docker;
mod members;
mod oci;

use std::io::Read;
use std::sync::Arc;

use cluster_types::ImageRef;

use crate::error::ImageError;
use crate::image::Image;
use crate::store::{Candidate, Inner, Pins};
use members::Members;

/// Imports every image of the archive. What a refused one has brought is swept away at once: unlike a pull, it cannot be continued.
pub(crate) fn import(inner: &Arc<Inner>, reader: impl Read, name: Option<&ImageRef>) -> Result<Vec<Image>, ImageError> {
    let imported = take(inner, reader, name);
    if imported.is_err() {
        inner.sweep().unwrap_or_else(|error| tracing::warn!(%error, "what a refused image archive has brought could not be removed"));
    }
    imported
}

fn take(inner: &Arc<Inner>, reader: impl Read, name: Option<&ImageRef>) -> Result<Vec<Image>, ImageError> {
    let members = Members::read(reader, &inner.disk)?;
    let mut pins = inner.pins();
    let mut found = candidates(inner, &members, &mut pins)?;
    if let Some(name) = name {
        rename(&mut found, name)?;
    }
    drop(members);
    found.iter().map(|candidate| inner.admit(candidate)).collect()
}

/// The images of an archive, their content in the store. Current dockers write both forms into one archive: the OCI one says more.
fn candidates(inner: &Inner, members: &Members, pins: &mut Pins) -> Result<Vec<Candidate>, ImageError> {
    match (members.has("oci-layout"), members.has("manifest.json")) {
        (true, _) => oci::candidates(inner, members, pins),
        (false, true) => docker::candidates(inner, members, pins),
        (false, false) => Err(ImageError::Archive(
            "it holds neither `oci-layout` nor `manifest.json`: make it with `docker save` or as an OCI archive".to_owned(),
        )),
    }
}

fn rename(found: &mut [Candidate], name: &ImageRef) -> Result<(), ImageError> {
    let count = found.len();
    let [only] = found else {
        return Err(ImageError::Archive(format!("it holds {count} images, so one name cannot be given to it")));
    };
    if name.digest.is_some() {
        return Err(ImageError::Archive("a name for an import has a tag, not a digest".to_owned()));
    }
    only.names = vec![name.to_string()];
    Ok(())
}

#[cfg(test)]
mod tests;
