//! Reads what a tar says about an entry besides its name and content, and refuses what two parsers could read differently.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;

use tar::EntryType;

use super::jail::Dress;
use super::lower;
use super::name::shown;
use super::{Refusal, broken};

/// Largest size that the octal field of a tar header can hold.
const OCTAL_MAX: u64 = 0o77_777_777_777;

/// Two parsers must not read two archives out of one file (CVE-2025-62518): sizes that disagree are refused.
pub(super) fn check_agreement<R: Read>(entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<(), Refusal> {
    let effective = entry.size();
    let header = entry.header().entry_size().map_err(broken)?;
    let sparse = entry.header().entry_type() == EntryType::GNUSparse;
    if !sparse && header != effective && effective <= OCTAL_MAX {
        return Err(Refusal::Hostile(format!("{} has two sizes: {header} in its header, {effective} in its extended header", shown(raw))));
    }
    if entry.header().entry_type() == EntryType::XGlobalHeader {
        return Ok(());
    }
    let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(()) };
    for extension in extensions {
        if extension.map_err(broken)?.key_bytes().starts_with(b"GNU.sparse.") {
            return Err(Refusal::Hostile(format!("{} is stored as a sparse file of the PAX form, which is not supported", shown(raw))));
        }
    }
    Ok(())
}

/// A header for all entries that follow may carry a comment; names and sizes in it are read by some parsers and not by others.
pub(super) fn global_header<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), Refusal> {
    let mut text = Vec::new();
    entry.take(crate::limits::ENTRY_HEADERS).read_to_end(&mut text).map_err(broken)?;
    for extension in tar::PaxExtensions::new(&text) {
        let extension = extension.map_err(broken)?;
        if matches!(extension.key_bytes(), b"path" | b"linkpath" | b"size") {
            return Err(Refusal::Hostile(format!("a global header sets {}", shown(extension.key_bytes()))));
        }
    }
    Ok(())
}

pub(super) fn dress<R: Read>(entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<Dress, Refusal> {
    let header = entry.header();
    let id = |id: io::Result<u64>| {
        let id = id.map_err(broken)?;
        // The highest id means "leave it" to chown (CVE-2024-40635 is its cousin).
        let id = u32::try_from(id).ok().filter(|id| *id != u32::MAX);
        id.ok_or_else(|| Refusal::Hostile(format!("{} has an owner beyond 32 bits", shown(raw))))
    };
    let (uid, gid) = (id(header.uid())?, id(header.gid())?);
    let mode = header.mode().map_err(broken)? & 0o7777;
    let mtime = header.mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0);
    Ok(Dress { uid, gid, mode, mtime, xattrs: attributes(entry)? })
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<(OsString, Vec<u8>)>, Refusal> {
    let mut found = Vec::new();
    let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(found) };
    for extension in extensions {
        let extension = extension.map_err(broken)?;
        if let Some(name) = extension.key_bytes().strip_prefix(b"SCHILY.xattr.")
            && lower::is_kept(name)
        {
            found.push((OsString::from_vec(name.to_vec()), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

pub(super) fn target<R: Read>(entry: &tar::Entry<'_, R>, raw: &[u8]) -> Result<Vec<u8>, Refusal> {
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if target.is_empty() || target.len() > crate::limits::PATH_BYTES || target.contains(&0) {
        return Err(Refusal::Hostile(format!("the link {} has no usable target", shown(raw))));
    }
    Ok(target)
}
