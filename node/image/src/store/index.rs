//! The index: which images exist, under which names, and which layers they are made of. Kept in memory, one JSON file on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use cluster_types::{ImageRef, is_digest};
use serde::{Deserialize, Serialize};

use super::Disk;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::{Image, ImageConfig};

/// The form of the file that this program writes and reads.
const VERSION: u32 = 1;

/// All that the store knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Index {
    version: u32,
    /// By the manifest's digest.
    images: BTreeMap<Digest, Record>,
    /// Full names to manifests' digests.
    names: BTreeMap<String, Digest>,
    /// Unpacked layers, by the name of their folder.
    layers: BTreeMap<Digest, LayerRecord>,
}

/// One image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: Digest,
    pub(crate) digest: Digest,
    pub(crate) index: Option<Digest>,
    pub(crate) created: Option<String>,
    pub(crate) config: ImageConfig,
    /// Lowest first.
    pub(crate) layers: Vec<LayerUse>,
}

/// A layer of an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LayerUse {
    /// The layer as it came, maybe compressed.
    pub(crate) blob: Digest,
    /// The folder it was unpacked into.
    pub(crate) folder: Digest,
}

/// An unpacked layer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// Bytes of its files.
    pub(crate) size: u64,
    /// It took something from the layers below: it fits on top of these only.
    pub(crate) uses_lower: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self { version: VERSION, images: BTreeMap::new(), names: BTreeMap::new(), layers: BTreeMap::new() }
    }
}

/// Reads the index; a store without one is empty.
pub(crate) fn load(disk: &Disk) -> Result<Index, ImageError> {
    let bytes = match std::fs::read(disk.index()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
        Err(error) => return Err(ImageError::io("read the image index", error)),
    };
    let damaged = |reason: String| {
        let advice = format!("{} is damaged ({reason}): remove it and import or pull the images again", disk.index().display());
        ImageError::io("read the image index", io::Error::new(io::ErrorKind::InvalidData, advice))
    };
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if index.version != VERSION {
        return Err(damaged(format!("it has version {}, this program knows {VERSION}", index.version)));
    }
    Ok(index)
}

impl Index {
    /// Writes the index to the disk.
    pub(crate) fn save(&self, disk: &Disk) -> Result<(), ImageError> {
        let bytes = serde_json::to_vec(self).map_err(|error| ImageError::io("write the image index", io::Error::other(error)))?;
        disk.write_index(&bytes)
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.images.values()
    }

    pub(crate) fn layer(&self, folder: &Digest) -> Option<&LayerRecord> {
        self.layers.get(folder)
    }

    /// The image that a reference means: by digest, by name, by id or a unique beginning of it, in this order.
    pub(crate) fn find(&self, reference: &str) -> Result<&Record, ImageError> {
        let missing = || ImageError::Missing(reference.chars().take(256).collect());
        if is_digest(reference) {
            return self.by_digest(reference).ok_or_else(missing);
        }
        if let Ok(image) = reference.parse::<ImageRef>() {
            let found = match &image.digest {
                Some(digest) => self.by_digest(digest),
                None => self.names.get(&image.to_string()).and_then(|digest| self.images.get(digest)),
            };
            if let Some(record) = found {
                return Ok(record);
            }
        }
        self.by_prefix(reference)?.ok_or_else(missing)
    }

    fn by_digest(&self, digest: &str) -> Option<&Record> {
        let is = |found: &Digest| found.as_str() == digest;
        self.images.values().find(|record| is(&record.digest) || is(&record.id) || record.index.as_ref().is_some_and(is))
    }

    fn by_prefix(&self, reference: &str) -> Result<Option<&Record>, ImageError> {
        let prefix = reference.strip_prefix("sha256:").unwrap_or(reference);
        if prefix.is_empty() || !prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let mut fitting = self.images.values().filter(|record| record.id.hex().starts_with(prefix));
        let Some(first) = fitting.next() else { return Ok(None) };
        // One configuration under two manifests is one image with two ways here.
        if fitting.any(|other| other.id != first.id) {
            return Err(ImageError::Ambiguous(prefix.to_owned()));
        }
        Ok(Some(first))
    }

    /// Names of an image, sorted.
    pub(crate) fn names_of(&self, digest: &Digest) -> Vec<String> {
        self.names.iter().filter(|(_, named)| *named == digest).map(|(name, _)| name.clone()).collect()
    }

    /// What the store tells about an image.
    pub(crate) fn image(&self, record: &Record, disk: &Disk) -> Image {
        let size = record.layers.iter().filter_map(|layer| self.layers.get(&layer.folder)).map(|layer| layer.size).sum();
        Image {
            id: record.id.to_string(),
            names: self.names_of(&record.digest),
            digest: record.digest.to_string(),
            index: record.index.as_ref().map(Digest::to_string),
            created: record.created.clone(),
            size,
            config: record.config.clone(),
            layers: stack(&record.layers).into_iter().map(|folder| disk.layer(folder)).collect(),
        }
    }

    /// Adds an image; its names leave the images that had them.
    pub(crate) fn add(&mut self, mut record: Record, names: &[String], layers: &[(Digest, LayerRecord)]) {
        self.layers.extend(layers.iter().cloned());
        for name in names {
            self.names.insert(name.clone(), record.digest.clone());
        }
        if let Some(known) = self.images.get(&record.digest) {
            record.index = record.index.or_else(|| known.index.clone());
        }
        self.images.insert(record.digest.clone(), record);
    }

    /// Takes a name away; tells whether the image has others left.
    pub(crate) fn unname(&mut self, name: &str) -> bool {
        let Some(digest) = self.names.remove(name) else { return false };
        self.names.values().any(|other| *other == digest)
    }

    /// Forgets an image and its names.
    pub(crate) fn forget(&mut self, digest: &Digest) {
        self.images.remove(digest);
        self.names.retain(|_, named| named != digest);
    }

    /// Forgets layers that no image uses.
    pub(crate) fn forget_layers(&mut self) {
        let used: BTreeSet<_> = self.images.values().flat_map(|record| record.layers.iter().map(|layer| layer.folder.clone())).collect();
        self.layers.retain(|folder, _| used.contains(folder));
    }

    /// Content that images are made of.
    pub(crate) fn blobs(&self) -> BTreeSet<Digest> {
        let of = |record: &Record| {
            let layers = record.layers.iter().map(|layer| layer.blob.clone());
            [record.id.clone(), record.digest.clone()].into_iter().chain(layers).collect::<Vec<_>>()
        };
        self.images.values().flat_map(of).collect()
    }
}

/// The folders of layers for overlayfs, lowest first. It refuses one folder twice; the upper one alone gives the same view.
fn stack(layers: &[LayerUse]) -> Vec<&Digest> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<_> = layers.iter().rev().map(|layer| &layer.folder).filter(|folder| seen.insert(*folder)).collect();
    stack.reverse();
    stack
}
