//! Removes images, and sweeps away what no image needs.

use std::path::PathBuf;

use cluster_types::ImageRef;

use super::{Inner, State};
use crate::digest::Digest;
use crate::error::ImageError;

/// What a removal took away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removed {
    /// Names that mean nothing now.
    pub names: Vec<String>,
    /// Digests of the manifests of images that are gone; empty when the image has other names.
    pub digests: Vec<String>,
}

/// Removes a name or an image.
pub(super) fn remove(inner: &Inner, reference: &str) -> Result<Removed, ImageError> {
    let _building = inner.building();
    let before = inner.state().index.clone();
    let removed = take(&mut inner.state(), reference)?;
    let after = inner.state().index.clone();
    // Out of sight first, so that nobody begins to use it; back again when the disk does not take it.
    match after.save(&inner.disk) {
        Ok(()) => sweep_locked(inner)?,
        // No room even for the index: the content goes first then. Should we end here, an image without its layers is forgotten later.
        Err(error) if error.is_full() => sweep_locked(inner).and_then(|()| after.save(&inner.disk))?,
        Err(error) => {
            inner.state().index = before;
            return Err(error);
        }
    }
    Ok(removed)
}

fn take(state: &mut State, reference: &str) -> Result<Removed, ImageError> {
    let digest = state.index.find(reference)?.digest.clone();
    let names = state.index.names_of(&digest);
    let name = reference.parse::<ImageRef>().map(|image| image.to_string()).ok().filter(|name| names.contains(name));
    if let Some(name) = &name
        && names.len() > 1
    {
        state.index.unname(name);
        return Ok(Removed { names: vec![name.clone()], digests: Vec::new() });
    }
    if let Some(users) = state.holds.get(&digest) {
        return Err(ImageError::InUse { image: reference.to_owned(), users: *users });
    }
    state.index.forget(&digest);
    state.index.forget_layers();
    Ok(Removed { names, digests: vec![digest.to_string()] })
}

impl Inner {
    /// Deletes content and layers that no image refers to and no pull is working on, and forgets images whose layers are lost.
    pub(crate) fn sweep(&self) -> Result<(), ImageError> {
        let _building = self.building();
        let lost = lost(self, &self.state());
        if !lost.is_empty() {
            tracing::warn!(images = ?lost, "layers of these images are gone from the store: they must be imported or pulled again");
            let mut index = self.state().index.clone();
            lost.iter().for_each(|digest| index.forget(digest));
            index.forget_layers();
            index.save(&self.disk)?;
            self.state().index = index;
        }
        sweep_locked(self)
    }
}

fn lost(inner: &Inner, state: &State) -> Vec<Digest> {
    let whole = |folder: &Digest| state.index.layer(folder).is_some() && inner.disk.layer(folder).is_dir();
    let records = state.index.records().filter(|record| !record.layers.iter().all(|layer| whole(&layer.folder)));
    records.map(|record| record.digest.clone()).collect()
}

fn sweep_locked(inner: &Inner) -> Result<(), ImageError> {
    let trash = inner.disk.temp_dir()?;
    {
        let state = inner.state();
        for path in unused(inner, &state)? {
            inner.disk.discard(&path, &trash)?;
        }
    }
    trash.close().map_err(|error| ImageError::io("delete what no image needs", error))
}

fn unused(inner: &Inner, state: &State) -> Result<Vec<PathBuf>, ImageError> {
    let needed = state.index.blobs();
    let blobs = inner.disk.entries("blobs/sha256")?.into_iter();
    let blobs = blobs.filter(|digest| !needed.contains(digest) && !state.pins.contains_key(digest)).map(|digest| inner.disk.blob(&digest));
    let layers = inner.disk.entries("layers")?.into_iter().filter(|folder| state.index.layer(folder).is_none());
    Ok(blobs.chain(layers.map(|folder| inner.disk.layer(&folder))).collect())
}
