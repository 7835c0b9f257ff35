//! Pulls an image from a registry: manifest, configuration and layers, each checked against its digest before it is taken in.
//!
//! What a broken pull has brought stays until the store is swept, so that the next attempt continues with the missing layers; nothing of
//! it is visible as an image. Callers that want the same image at the same time share one pull.

mod challenge;
mod download;
mod progress;
mod registry;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster_types::ImageRef;
use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::limits::{CONFIG_BYTES, MANIFEST_BYTES};
use crate::manifest::{self, Document, INDEX_TYPES, MANIFEST_TYPES, Manifest};
use crate::store::{Candidate, Inner, blocking};
pub use progress::PullProgress;
use registry::Registry;
pub(crate) use registry::client;

/// Layers that are downloaded at the same time.
const PARALLEL: usize = 3;

/// Who asks: name and password.
pub(crate) type Credentials = (String, String);
type Key = (String, Option<Credentials>);
type Outcome = Result<Image, ImageError>;
type Running = BoxFuture<'static, Outcome>;
type Report = Arc<dyn Fn(PullProgress) + Send + Sync>;

/// The pulls in progress.
#[derive(Default)]
pub(crate) struct Pulls(Mutex<HashMap<Key, WeakShared<Running>>>);

impl Pulls {
    /// Joins the pull with this key, or starts it. It is given up when nobody waits for it any more.
    fn join(&self, key: Key, start: impl FnOnce() -> Running) -> Shared<Running> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, pull| pull.upgrade().is_some_and(|pull| pull.peek().is_none()));
        if let Some(pull) = running.get(&key).and_then(WeakShared::upgrade) {
            return pull;
        }
        let pull = start().shared();
        running.extend(pull.downgrade().map(|weak| (key, weak)));
        pull
    }
}

/// Pulls an image, or waits for the pull of it that is under way.
pub(crate) async fn pull(inner: &Arc<Inner>, image: &ImageRef, credentials: Option<Credentials>, report: Report) -> Outcome {
    let key = (image.to_string(), credentials.clone());
    let start = || {
        let (inner, image) = (Arc::clone(inner), image.clone());
        async move { run(&inner, &image, credentials, report).await }.boxed()
    };
    inner.pulls.join(key, start).await
}

async fn run(inner: &Arc<Inner>, image: &ImageRef, credentials: Option<Credentials>, report: Report) -> Outcome {
    let outcome = fetch(inner, image, credentials, report).await;
    if outcome.as_ref().is_err_and(ImageError::is_full) {
        let inner = Arc::clone(inner);
        blocking(move || inner.sweep()).await?;
    }
    outcome
}

async fn fetch(inner: &Arc<Inner>, image: &ImageRef, credentials: Option<Credentials>, report: Report) -> Outcome {
    let registry = Registry::new(client(inner)?, &inner.config, image.clone(), credentials);
    report(PullProgress::Manifest);
    let (bytes, index, manifest) = choose(&registry, image).await?;
    let mut pins = inner.pins();
    for content in manifest.layers.iter().chain([&manifest.config]) {
        pins.add(&content.digest);
    }
    if manifest.config.size > CONFIG_BYTES {
        return Err(ImageError::Manifest { what: "configuration", reason: format!("it is larger than {CONFIG_BYTES} bytes") });
    }
    let contents = manifest.layers.iter().chain([&manifest.config]).cloned().collect::<Vec<_>>();
    let downloads = contents.into_iter().map(|content| download::blob(inner, &registry, content, &report));
    stream::iter(downloads).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    report(PullProgress::Unpacking);
    let candidate = Candidate { manifest: bytes, index, names: vec![name(image)] };
    let inner = Arc::clone(inner);
    blocking(move || {
        let admitted = inner.admit(&candidate);
        drop(pins);
        admitted
    })
    .await
}

/// The manifest for this host, and the index it came from.
async fn choose(registry: &Registry, image: &ImageRef) -> Result<(Vec<u8>, Option<Digest>, Manifest), ImageError> {
    let accepted = [MANIFEST_TYPES, INDEX_TYPES].concat();
    let wanted = image.digest.as_deref().or(image.tag.as_deref()).unwrap_or("latest");
    let bytes = registry.manifest(wanted, &accepted).await?;
    let digest = Digest::of(&bytes);
    expect(&digest, image.digest.as_deref())?;
    let listed = match manifest::parse(&bytes)? {
        Document::Manifest(manifest) => return Ok((bytes, None, manifest)),
        Document::Index(listed) => listed,
    };
    let chosen = manifest::choose(&listed)?;
    if chosen.size > MANIFEST_BYTES {
        return Err(ImageError::Manifest { what: "manifest", reason: format!("it is larger than {MANIFEST_BYTES} bytes") });
    }
    let bytes = registry.manifest(chosen.digest.as_str(), &MANIFEST_TYPES).await?;
    expect(&Digest::of(&bytes), Some(chosen.digest.as_str()))?;
    match manifest::parse(&bytes)? {
        Document::Manifest(manifest) => Ok((bytes, Some(digest), manifest)),
        Document::Index(_) => Err(ImageError::Manifest { what: "index", reason: "it points to another index".to_owned() }),
    }
}

fn expect(found: &Digest, expected: Option<&str>) -> Result<(), ImageError> {
    match expected {
        Some(expected) if expected != found.as_str() => {
            Err(ImageError::Digest { what: "the image's manifest".to_owned(), expected: expected.to_owned(), found: found.to_string() })
        }
        Some(_) | None => Ok(()),
    }
}

/// What the image is called here. A tag beside a digest is not taken over: it may mean another image by now.
fn name(image: &ImageRef) -> String {
    let tag = if image.digest.is_some() { None } else { image.tag.clone() };
    ImageRef { tag, ..image.clone() }.to_string()
}

#[cfg(test)]
mod tests;
