//! Makes an image out of content that is in the store: checks that the pieces belong together, unpacks the layers that are new, and
//! enters it in the index. The last step of an import and of a pull.

use std::path::PathBuf;

use super::Inner;
use super::index::{Index, LayerRecord, LayerUse, Record};
use crate::config::{self, ParsedConfig};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::limits::CONFIG_BYTES;
use crate::manifest::{self, Document, Manifest};
use crate::unpack::{self, Refusal};

/// An image whose content is in the store, pinned.
pub(crate) struct Candidate {
    /// Its manifest, as it came.
    pub(crate) manifest: Vec<u8>,
    /// The index that it was chosen from.
    pub(crate) index: Option<Digest>,
    /// Names to give it, in full.
    pub(crate) names: Vec<String>,
}

/// A layer that was unpacked but is not in place yet.
struct Fresh {
    folder: Digest,
    record: LayerRecord,
    temp: tempfile::TempDir,
}

/// Layers of the image so far.
#[derive(Default)]
struct Stack {
    uses: Vec<LayerUse>,
    paths: Vec<PathBuf>,
    fresh: Vec<Fresh>,
    chain: Option<Digest>,
}

impl Inner {
    /// Makes the image. Nothing is visible unless all of it is right.
    pub(crate) fn admit(&self, candidate: &Candidate) -> Result<Image, ImageError> {
        let Document::Manifest(manifest) = manifest::parse(&candidate.manifest)? else {
            return Err(ImageError::Manifest { what: "manifest", reason: "it is an index where an image was expected".to_owned() });
        };
        let config = config::parse(&self.disk.get(&manifest.config.digest, CONFIG_BYTES)?)?;
        if config.diff_ids.len() != manifest.layers.len() {
            let reason = format!("it has {} layers, the configuration {}", manifest.layers.len(), config.diff_ids.len());
            return Err(ImageError::Manifest { what: "manifest", reason });
        }
        let _building = self.building();
        let known = self.state().index.clone();
        let stack = self.stack(&manifest, &config, &known)?;
        self.enter(candidate, &manifest, config, stack)
    }

    fn stack(&self, manifest: &Manifest, config: &ParsedConfig, known: &Index) -> Result<Stack, ImageError> {
        let mut stack = Stack::default();
        for (layer, diff_id) in manifest.layers.iter().zip(&config.diff_ids) {
            let chain = chain(stack.chain.as_ref(), diff_id);
            let already = stack.fresh.iter().map(|fresh| (&fresh.folder, &fresh.record)).find(|(folder, _)| *folder == diff_id);
            let already = already.filter(|(_, record)| !record.uses_lower).map(|(folder, _)| folder.clone());
            let folder = match already.or_else(|| reusable(known, &chain, diff_id)) {
                Some(folder) => folder,
                None => self.unpack(&layer.digest, diff_id, &chain, &mut stack)?,
            };
            let fresh = stack.fresh.iter().find(|fresh| fresh.folder == folder);
            stack.paths.push(fresh.map_or_else(|| self.disk.layer(&folder), |fresh| fresh.temp.path().to_owned()));
            stack.uses.push(LayerUse { blob: layer.digest.clone(), folder });
            stack.chain = Some(chain);
        }
        Ok(stack)
    }

    fn unpack(&self, blob: &Digest, diff_id: &Digest, chain: &Digest, stack: &mut Stack) -> Result<Digest, ImageError> {
        let temp = self.disk.temp_dir()?;
        let done = unpack::unpack(&self.disk.blob(blob), temp.path(), &stack.paths).map_err(|refusal| match refusal {
            Refusal::Hostile(reason) => ImageError::Layer { layer: blob.to_string(), reason },
            Refusal::Disk(what, error) => ImageError::io(format!("layer {blob}: {what}"), error),
        })?;
        if done.diff_id != *diff_id {
            let what = format!("the uncompressed layer {blob}");
            return Err(ImageError::Digest { what, expected: diff_id.to_string(), found: done.diff_id.to_string() });
        }
        if !done.skipped.is_empty() {
            tracing::info!(layer = %blob, skipped = ?done.skipped, "left devices out of a layer: a container has its own /dev");
        }
        let folder = if done.uses_lower { chain } else { diff_id }.clone();
        let record = LayerRecord { size: done.size, uses_lower: done.uses_lower };
        stack.fresh.push(Fresh { folder: folder.clone(), record, temp });
        Ok(folder)
    }

    /// Flushes, puts the layers in place, and writes the index: on disk first, then for everybody to see. Only a holder of `building`
    /// changes the index, so no change of another is lost, and nobody who only looks waits for the disk.
    fn enter(&self, candidate: &Candidate, manifest: &Manifest, config: ParsedConfig, stack: Stack) -> Result<Image, ImageError> {
        let digest = self.disk.put(&candidate.manifest)?;
        let mut layers = Vec::new();
        let trash = self.disk.temp_dir()?;
        for fresh in stack.fresh {
            let place = self.disk.layer(&fresh.folder);
            // A leftover of an attempt that failed right here; the index does not know it.
            self.disk.discard(&place, &trash)?;
            std::fs::rename(fresh.temp.path(), &place).map_err(|error| ImageError::io(format!("store layer {}", fresh.folder), error))?;
            layers.push((fresh.folder, fresh.record));
        }
        self.disk.flush()?;
        let id = manifest.config.digest.clone();
        let index = candidate.index.clone();
        let record = Record { id, digest: digest.clone(), index, created: config.created, config: config.config, layers: stack.uses };
        let mut index = self.state().index.clone();
        index.add(record, &candidate.names, &layers);
        index.save(&self.disk)?;
        let image = index.image(index.find(digest.as_str())?, &self.disk);
        self.state().index = index;
        Ok(image)
    }
}

/// The folder of a layer that is unpacked already and looks the same on top of these layers.
fn reusable(known: &Index, chain: &Digest, diff_id: &Digest) -> Option<Digest> {
    if known.layer(chain).is_some() {
        return Some(chain.clone());
    }
    known.layer(diff_id).is_some_and(|record| !record.uses_lower).then(|| diff_id.clone())
}

/// The chain id of the OCI image specification: names a layer together with all those below it.
fn chain(below: Option<&Digest>, diff_id: &Digest) -> Digest {
    below.map_or_else(|| diff_id.clone(), |below| Digest::of(format!("{below} {diff_id}").as_bytes()))
}
