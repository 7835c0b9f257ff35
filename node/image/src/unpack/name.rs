//! Names of entries inside a layer: split into folder and last name, and refused when they point anywhere else.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::limits::{NAME_BYTES, PATH_BYTES};

/// Front of the names that say "this is gone".
const WHITEOUT: &[u8] = b".wh.";
/// The name that says "nothing of this folder shines through from below".
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A checked path inside a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The folder it is in, relative to the layer; empty is the layer's root.
    pub(super) parent: PathBuf,
    /// Its last part, never `.` or `..`, without a slash.
    pub(super) last: OsString,
}

/// What a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The layer's root folder itself.
    Root,
    /// An ordinary entry.
    Entry(Name),
    /// The entry of this name in lower layers is gone.
    Whiteout(Name),
    /// Everything of this folder in lower layers is gone.
    Opaque(PathBuf),
    /// Bookkeeping of aufs, the file system that whiteout names come from.
    Bookkeeping,
}

/// Reads the name of an entry.
pub(super) fn parse(bytes: &[u8]) -> Result<Meaning, String> {
    let Some(name) = split(bytes)? else { return Ok(Meaning::Root) };
    let last = name.last.as_bytes();
    if last == OPAQUE {
        return Ok(Meaning::Opaque(name.parent));
    }
    let Some(gone) = last.strip_prefix(WHITEOUT) else { return Ok(Meaning::Entry(name)) };
    if gone.starts_with(WHITEOUT) {
        return Ok(Meaning::Bookkeeping);
    }
    if matches!(gone, b"" | b"." | b"..") {
        return Err(format!("the whiteout {} names no entry", shown(bytes)));
    }
    Ok(Meaning::Whiteout(Name { last: OsStr::from_bytes(gone).to_owned(), parent: name.parent }))
}

/// Splits a path; none is the root.
pub(super) fn split(bytes: &[u8]) -> Result<Option<Name>, String> {
    if bytes.starts_with(b"/") {
        return Err(format!("the path {} is absolute", shown(bytes)));
    }
    if bytes.len() > PATH_BYTES {
        return Err(format!("the path {} is longer than {PATH_BYTES} bytes", shown(bytes)));
    }
    if bytes.contains(&0) {
        return Err(format!("the path {} contains a zero byte", shown(bytes)));
    }
    let mut path = PathBuf::new();
    for part in bytes.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(format!("the path {} leads out with `..`", shown(bytes))),
            part if part.len() > NAME_BYTES => return Err(format!("a name in {} is longer than {NAME_BYTES} bytes", shown(bytes))),
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    let Some(last) = path.file_name().map(OsStr::to_owned) else { return Ok(None) };
    let parent = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Some(Name { parent, last }))
}

/// A name from outside, for a message: short and without control characters.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn name(parent: &str, last: &str) -> Name {
        Name { parent: parent.into(), last: last.into() }
    }

    #[test]
    fn names_are_told_apart() {
        for (text, meaning) in [
            ("./", Meaning::Root),
            ("etc/passwd", Meaning::Entry(name("etc", "passwd"))),
            ("./etc//x/", Meaning::Entry(name("etc", "x"))),
            ("etc/.wh.passwd", Meaning::Whiteout(name("etc", "passwd"))),
            ("etc/.wh..wh..opq", Meaning::Opaque("etc".into())),
            (".wh..wh..opq", Meaning::Opaque("".into())),
            (".wh..wh.plnk", Meaning::Bookkeeping),
            (".whale", Meaning::Entry(name("", ".whale"))),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(meaning), "{text}");
        }
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let long = "a".repeat(NAME_BYTES + 1);
        let deep = "a/".repeat(PATH_BYTES);
        for text in ["/etc/passwd", "../x", "a/../../x", "a/..", ".wh...", ".wh.", "a/.wh..", "a\0b", &long, &deep] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_inside(bytes in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'/'), Just(b'w'), Just(b'h'), any::<u8>()], 0..40)) {
            if let Ok(Meaning::Entry(name) | Meaning::Whiteout(name)) = parse(&bytes) {
                prop_assert!(name.parent.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(Path::new(&name.last).components().collect::<Vec<_>>(), vec![Component::Normal(&name.last)]);
            }
        }
    }
}
