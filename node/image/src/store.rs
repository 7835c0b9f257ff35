//! The store itself: a folder with content by digest, unpacked layers and one index, and what may be asked of it.
//!
//! Nothing is visible before it is whole: content is checked, unpacked in a temporary folder, flushed and renamed, and the index, written
//! last, is what makes an image exist. Everything that the index does not refer to is swept away when the store is opened.

mod admit;
mod disk;
mod index;
mod reclaim;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cluster_types::ImageRef;

use crate::archive;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::pull::{self, PullProgress, Pulls};

pub(crate) use admit::Candidate;
pub(crate) use disk::Disk;
use index::Index;
pub use reclaim::Removed;

/// How a store behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreConfig {
    /// Registries, `host:port` exactly as references name them, that are spoken to over plain HTTP. All others get HTTPS.
    pub plain_http: Vec<String>,
    /// For each registry, further hosts (`host` or `host:port`) that its password may be sent to for a token.
    pub token_servers: BTreeMap<String, Vec<String>>,
}

/// The images of one node. Clones share the same store.
#[derive(Clone)]
pub struct ImageStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) disk: Disk,
    pub(crate) config: StoreConfig,
    pub(crate) client: OnceLock<reqwest::Client>,
    pub(crate) pulls: Pulls,
    /// Held while layers are unpacked or swept: one at a time, so that neither sees the other half-way.
    building: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    index: Index,
    /// Content that an import or pull in progress has brought and the index does not refer to yet.
    pins: BTreeMap<Digest, usize>,
    /// Containers of each image, by its manifest's digest.
    holds: BTreeMap<Digest, usize>,
}

/// A promise that a container uses an image: while it lives, the image cannot be removed.
#[derive(Debug)]
pub struct Hold {
    store: ImageStore,
    digest: Digest,
}

impl ImageStore {
    /// Opens the store in `dir`, which is made (mode 0700) where missing, with HTTPS for every registry.
    ///
    /// # Errors
    /// [`ImageError::Locked`] when another process has it open; [`ImageError::Io`] when the disk fails.
    pub fn open(dir: &Path) -> Result<Self, ImageError> {
        Self::open_with(dir, StoreConfig::default())
    }

    /// Opens the store in `dir` with other settings.
    ///
    /// # Errors
    /// As [`ImageStore::open`].
    pub fn open_with(dir: &Path, config: StoreConfig) -> Result<Self, ImageError> {
        let disk = Disk::open(dir)?;
        let index = index::load(&disk)?;
        let state = Mutex::new(State { index, ..State::default() });
        let inner = Inner { disk, config, client: OnceLock::new(), pulls: Pulls::default(), building: Mutex::new(()), state };
        inner.sweep()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Imports every image of an OCI archive or a `docker save` archive, plain, gzip or zstd. `name` replaces the name in the archive,
    /// which must then hold one image.
    ///
    /// # Errors
    /// Why the archive, a layer or a digest in it was refused; nothing of the archive is visible then.
    pub async fn import(&self, reader: impl Read + Send + 'static, name: Option<&str>) -> Result<Vec<Image>, ImageError> {
        let name = name.map(str::parse::<ImageRef>).transpose()?;
        let inner = Arc::clone(&self.inner);
        blocking(move || archive::import(&inner, reader, name.as_ref())).await
    }

    /// Pulls an image, also when one of that name is here already. Concurrent pulls of one image with the same credentials (name and
    /// password) are one pull. `progress` is called from async workers and must not block.
    ///
    /// # Errors
    /// The true cause: [`ImageError::NotAuthorised`], [`ImageError::NotFound`], [`ImageError::Unreachable`], [`ImageError::Registry`], or
    /// why the content was refused; nothing of the image is visible then.
    pub async fn pull(
        &self,
        image: &ImageRef,
        credentials: Option<(String, String)>,
        progress: impl Fn(PullProgress) + Send + Sync + 'static,
    ) -> Result<Image, ImageError> {
        pull::pull(&self.inner, image, credentials, Arc::new(progress)).await
    }

    /// The image that a reference means, pulled when it is not here. An image that is here costs no call to a registry.
    ///
    /// # Errors
    /// As [`ImageStore::pull`].
    pub async fn ensure(&self, reference: &str) -> Result<Image, ImageError> {
        match self.resolve(reference) {
            Some(image) => Ok(image),
            None => self.pull(&reference.parse()?, None, |_| {}).await,
        }
    }

    /// The image that a reference means here: a name (normalised as docker does), a digest, an id or a unique beginning of one. Never
    /// asks a registry.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<Image> {
        let state = self.inner.state();
        let record = state.index.find(reference).ok()?;
        Some(state.index.image(record, &self.inner.disk))
    }

    /// Every image, ordered by id.
    #[must_use]
    pub fn list(&self) -> Vec<Image> {
        let state = self.inner.state();
        let mut images: Vec<_> = state.index.records().map(|record| state.index.image(record, &self.inner.disk)).collect();
        images.sort_by(|a, b| (&a.id, &a.digest).cmp(&(&b.id, &b.digest)));
        images
    }

    /// Marks an image as used by a container, until the promise is dropped. After a restart of the agent the runtime asks again for
    /// each container that it takes over.
    ///
    /// # Errors
    /// [`ImageError::Missing`] or [`ImageError::Ambiguous`].
    pub fn hold(&self, reference: &str) -> Result<Hold, ImageError> {
        let mut state = self.inner.state();
        let digest = state.index.find(reference)?.digest.clone();
        *state.holds.entry(digest.clone()).or_default() += 1;
        Ok(Hold { store: self.clone(), digest })
    }

    /// Removes a name, and the image with it when that was its last name; given by id or digest, the image with all its names.
    /// Layers that other images share stay.
    ///
    /// # Errors
    /// [`ImageError::InUse`] while containers use the image; [`ImageError::Missing`] or [`ImageError::Ambiguous`].
    pub async fn remove(&self, reference: &str) -> Result<Removed, ImageError> {
        let inner = Arc::clone(&self.inner);
        let reference = reference.to_owned();
        blocking(move || reclaim::remove(&inner, &reference)).await
    }
}

impl std::fmt::Debug for ImageStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageStore").field("dir", &self.inner.disk.root()).finish_non_exhaustive()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        release(&mut self.store.inner.state().holds, &self.digest);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn building(&self) -> MutexGuard<'_, ()> {
        self.building.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts keeping content that is not part of an image yet.
    pub(crate) fn pins(self: &Arc<Self>) -> Pins {
        Pins { inner: Arc::clone(self), digests: Vec::new() }
    }
}

/// Content that must not be swept away while an import or pull works on it.
pub(crate) struct Pins {
    inner: Arc<Inner>,
    digests: Vec<Digest>,
}

impl Pins {
    /// Keeps this content as long as `self` lives.
    pub(crate) fn add(&mut self, digest: &Digest) {
        *self.inner.state().pins.entry(digest.clone()).or_default() += 1;
        self.digests.push(digest.clone());
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        for digest in &self.digests {
            release(&mut state.pins, digest);
        }
    }
}

fn release(counts: &mut BTreeMap<Digest, usize>, digest: &Digest) {
    match counts.get_mut(digest) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) | None => drop(counts.remove(digest)),
    }
}

/// Runs work that blocks on the disk away from the async workers.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ImageError> + Send + 'static) -> Result<T, ImageError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(ImageError::io("image work was broken off", std::io::Error::other(error))))
}

#[cfg(test)]
mod tests;
