//! The members of an image archive, written to files with names of our own. No name from the archive ever becomes a path.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::EntryType;
use tempfile::TempDir;

use crate::compression;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::{ARCHIVE_BYTES, ARCHIVE_ENTRIES, ARCHIVE_LINKS};
use crate::store::Disk;
use crate::tape::Tape;

/// What an archive holds, by name.
pub(super) struct Members {
    named: BTreeMap<String, Member>,
    folder: TempDir,
}

enum Member {
    File(Staged),
    /// The name that is meant, relative to the archive's top.
    Link(String),
}

/// A member's content.
#[derive(Debug, Clone)]
pub(super) struct Staged {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Members {
    /// Reads a whole archive.
    pub(super) fn read(reader: impl Read, disk: &Disk) -> Result<Self, ImageError> {
        let mut members = Self { named: BTreeMap::new(), folder: disk.temp_dir()? };
        let tape = Tape::new(compression::open(reader).map_err(broken)?, ARCHIVE_BYTES, None);
        let allowance = tape.allowance();
        let mut archive = tar::Archive::new(tape);
        let mut entries = archive.entries().map_err(broken)?;
        for count in 0.. {
            allowance.headers();
            let Some(entry) = entries.next() else { break };
            allowance.content();
            if count >= ARCHIVE_ENTRIES {
                return Err(ImageError::Archive(format!("it has more than {ARCHIVE_ENTRIES} members")));
            }
            members.add(entry.map_err(broken)?, count)?;
        }
        if members.named.is_empty() {
            return Err(ImageError::Archive("it is empty or no tar archive".to_owned()));
        }
        Ok(members)
    }

    fn add(&mut self, mut entry: tar::Entry<'_, impl Read>, count: u64) -> Result<(), ImageError> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
            return io::copy(&mut entry, &mut io::sink()).map(drop).map_err(broken);
        }
        let (folder, own) = locate("", &name).ok_or_else(|| refuse(&name, "has a name that leads out of the archive"))?;
        let member = match kind {
            EntryType::Regular | EntryType::Continuous => {
                Member::File(stage(&mut entry, &self.folder.path().join(count.to_string()), &name)?)
            }
            EntryType::Symlink | EntryType::Link => {
                let target = String::from_utf8_lossy(&entry.link_name_bytes().unwrap_or_default()).into_owned();
                let base = if kind == EntryType::Link { "" } else { &folder };
                let (_, target) = locate(base, &target).ok_or_else(|| refuse(&name, "is a link out of the archive"))?;
                Member::Link(target)
            }
            _ => return Err(refuse(&name, "is neither a file nor a folder nor a link")),
        };
        if let Member::File(new) = &member
            && let Some(Member::File(old)) = self.named.get(&own)
            && old.digest != new.digest
        {
            return Err(refuse(&name, "is there twice, with different content"));
        }
        self.named.insert(own, member);
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The content of a member, links followed.
    pub(super) fn get(&self, name: &str) -> Result<&Staged, ImageError> {
        let (_, mut at) = locate("", name).ok_or_else(|| refuse(name, "is named but lies outside the archive"))?;
        for _ in 0..ARCHIVE_LINKS {
            match self.named.get(&at) {
                Some(Member::File(staged)) => return Ok(staged),
                Some(Member::Link(target)) => at.clone_from(target),
                None => return Err(refuse(name, "is named but missing")),
            }
        }
        Err(refuse(name, "is behind too many links"))
    }

    /// A small member, whole.
    pub(super) fn bytes(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let staged = self.get(name)?;
        if staged.size > limit {
            return Err(refuse(name, &format!("is larger than {limit} bytes")));
        }
        std::fs::read(&staged.path).map_err(|error| ImageError::io("read back a member of the archive", error))
    }

    /// The content that a digest names in an OCI layout, checked.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Result<&Staged, ImageError> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let staged = self.get(&name)?;
        if staged.digest != *digest {
            return Err(ImageError::Digest { what: name, expected: digest.to_string(), found: staged.digest.to_string() });
        }
        if staged.size != size {
            return Err(refuse(&name, &format!("has {} bytes, {size} were announced", staged.size)));
        }
        Ok(staged)
    }
}

/// Writes a member to a file and hashes it.
fn stage(entry: &mut tar::Entry<'_, impl Read>, path: &Path, name: &str) -> Result<Staged, ImageError> {
    let disk = |error| ImageError::io("write a member of the archive into the store", error);
    let expected = entry.size();
    let mut file = File::create_new(path).map_err(disk)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 128 << 10]);
    loop {
        let n = match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        hash.update(bytes);
        file.write_all(bytes).map_err(disk)?;
        size += n as u64;
    }
    if size != expected {
        return Err(refuse(name, &format!("is cut off: {size} of {expected} bytes")));
    }
    Ok(Staged { path: path.to_owned(), digest: Digest::from_hash(hash), size })
}

/// Folder and full name of a path relative to `base`, in the archive's own terms; none when it leads out.
fn locate(base: &str, path: &str) -> Option<(String, String)> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let (_, folder) = parts.split_last()?;
    Some((folder.join("/"), parts.join("/")))
}

fn refuse(name: &str, reason: &str) -> ImageError {
    let name: String = name.chars().take(200).collect();
    ImageError::Archive(format!("its member `{}` {reason}", name.escape_debug()))
}

fn broken(error: io::Error) -> ImageError {
    ImageError::Archive(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links_are_followed_inside_the_archive_only() {
        assert_eq!(locate("a/b", "../c.tar"), Some(("a".into(), "a/c.tar".into())));
        assert_eq!(locate("", "./x"), Some((String::new(), "x".into())));
        assert_eq!(locate("a", "../../x"), None);
        assert_eq!(locate("", "/etc/passwd"), None);
        assert_eq!(locate("", "."), None);
    }

    proptest! {
        #[test]
        fn no_name_leads_out(base in "[a./]{0,8}", path in "[a./]{0,12}") {
            if let Some((_, full)) = locate(&base, &path) {
                prop_assert!(!full.starts_with('/') && full.split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
