//! Downloads one piece of content into the store. It gets its place only when its length and its digest are right.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::Report;
use super::progress::PullProgress;
use super::registry::Registry;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::manifest::Descriptor;
use crate::store::{Inner, blocking};

/// Chunks that may wait for the disk.
const QUEUE: usize = 16;
/// Bytes between two reports.
const REPORT: u64 = 1 << 20;

/// Downloads what a descriptor points to, unless it is here. The caller has pinned it.
pub(super) async fn blob(inner: &Arc<Inner>, registry: &Registry, content: Descriptor, report: &Report) -> Result<(), ImageError> {
    let digest = content.digest.to_string();
    if inner.disk.blob(&content.digest).exists() {
        report(PullProgress::Present { digest });
        return Ok(());
    }
    let mut response = registry.blob(&content.digest).await?;
    let (chunks, queue) = mpsc::channel(QUEUE);
    // The writer knows the file only: when this download is given up, nothing that it still does touches the store.
    let (file, expected) = (inner.disk.temp_file()?, content.clone());
    let writer = tokio::spawn(blocking(move || write(file, &expected, queue)));
    let (mut received, mut reported) = (0, 0);
    report(PullProgress::Downloading { digest: digest.clone(), received, total: content.size });
    while let Some(chunk) = response.chunk().await.map_err(|error| registry.broken(error))? {
        received += chunk.len() as u64;
        if received > content.size {
            return Err(registry.failed(format!("it sends more than the {} bytes announced of {digest}", content.size)));
        }
        // A writer that gave up says why below.
        if chunks.send(chunk).await.is_err() {
            break;
        }
        if received - reported >= REPORT || received == content.size {
            reported = received;
            report(PullProgress::Downloading { digest: digest.clone(), received, total: content.size });
        }
    }
    drop(chunks);
    let file = writer.await.unwrap_or_else(|error| Err(ImageError::io("write a download", std::io::Error::other(error))))?;
    inner.disk.adopt(file.path(), &content.digest)
}

/// Writes what comes until the queue ends, and checks it.
fn write(mut file: NamedTempFile, content: &Descriptor, mut queue: mpsc::Receiver<Bytes>) -> Result<NamedTempFile, ImageError> {
    let failed = |error| ImageError::io(format!("write {} into the image store", content.digest), error);
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(chunk) = queue.blocking_recv() {
        hash.update(&chunk);
        size += chunk.len() as u64;
        file.write_all(&chunk).map_err(failed)?;
    }
    let found = Digest::from_hash(hash);
    if size < content.size || found != content.digest {
        let what = format!("a download of {size} of {} bytes", content.size);
        return Err(ImageError::Digest { what, expected: content.digest.to_string(), found: found.to_string() });
    }
    Ok(file)
}
