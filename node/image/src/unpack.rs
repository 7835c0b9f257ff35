//! Unpacks one layer into a folder, in the form that overlayfs stacks.
//!
//! A layer is hostile until proven otherwise: every entry goes through the [`Jail`](jail::Jail), which works relative to the layer's
//! own folder and follows no link. Devices are left out, because a container gets its own `/dev` and no other. Called by the store,
//! for a temporary folder that only becomes visible once the layer is whole and its digest is right.

mod entry;
mod folders;
mod header;
mod jail;
mod lower;
mod name;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::compression;
use crate::digest::Digest;
use crate::limits::{LAYER_BYTES, LAYER_ENTRIES};
use crate::tape::Tape;
use entry::Unpacker;

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The layer is at fault.
    Hostile(String),
    /// The disk is.
    Disk(String, io::Error),
}

/// A layer that was unpacked.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The digest of its uncompressed tar.
    pub(crate) diff_id: Digest,
    /// Bytes of its files.
    pub(crate) size: u64,
    /// Something was taken from the layers below: it fits on top of these only.
    pub(crate) uses_lower: bool,
    /// How many entries of each kind were left out (devices).
    pub(crate) skipped: BTreeMap<&'static str, u64>,
}

/// Unpacks the layer in `blob`, on top of `lowers` (lowest first), into the empty folder `into`.
pub(crate) fn unpack(blob: &Path, into: &Path, lowers: &[PathBuf]) -> Result<Unpacked, Refusal> {
    let disk = |error| Refusal::Disk(format!("open {}", blob.display()), error);
    let file = File::open(blob).map_err(disk)?;
    let packed = file.metadata().map_err(disk)?.len();
    let stream = compression::open(file).map_err(broken)?;
    unpack_stream(Tape::new(stream, LAYER_BYTES, Some(packed)), into, lowers)
}

fn unpack_stream<R: Read>(tape: Tape<R>, into: &Path, lowers: &[PathBuf]) -> Result<Unpacked, Refusal> {
    let mut unpacker = Unpacker::new(into, lowers)?;
    let allowance = tape.allowance();
    let mut archive = tar::Archive::new(tape);
    let mut entries = archive.entries().map_err(broken)?;
    let mut count = 0;
    loop {
        allowance.headers();
        let Some(entry) = entries.next() else { break };
        allowance.content();
        count += 1;
        if count > LAYER_ENTRIES {
            return Err(Refusal::Hostile(format!("it has more than {LAYER_ENTRIES} entries")));
        }
        let mut entry = entry.map_err(broken)?;
        unpacker.add(&mut entry)?;
        io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
    }
    let done = unpacker.finish()?;
    let diff_id = archive.into_inner().finish().map_err(broken)?;
    Ok(Unpacked { diff_id, size: done.size, uses_lower: done.uses_lower, skipped: done.skipped })
}

/// The stream cannot be read: it is cut off, damaged or over a limit.
fn broken(error: io::Error) -> Refusal {
    Refusal::Hostile(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
