//! The host's resolvers: what its resolv.conf says now. The file is read again when it has changed.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{PORT, RESOLVER};

/// As many as the C library heeds.
const MOST: usize = 3;

/// Who is asked for names of the world. Clones share what was read.
#[derive(Debug, Clone)]
pub struct Upstreams {
    file: Option<PathBuf>,
    read: Arc<Mutex<Read>>,
}

#[derive(Debug, Default)]
struct Read {
    stamp: Option<Stamp>,
    servers: Vec<SocketAddr>,
}

/// What differs when a file has been written or replaced: time of change, its nanoseconds, size and inode.
type Stamp = (i64, i64, u64, u64);

impl Upstreams {
    /// Those of the host.
    #[must_use]
    pub fn of_host() -> Self {
        Self::of_file("/etc/resolv.conf")
    }

    /// Those that a file in the form of resolv.conf names.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), read: Arc::default() }
    }

    /// Always these.
    #[must_use]
    pub fn fixed(servers: Vec<SocketAddr>) -> Self {
        Self { file: None, read: Arc::new(Mutex::new(Read { stamp: None, servers })) }
    }

    /// Whom to ask now, in order. While the file cannot be read, those that it named last.
    pub(super) fn current(&self) -> Vec<SocketAddr> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file
            && let Some(stamp) = stamp(file)
            && read.stamp != Some(stamp)
            && let Ok(text) = std::fs::read_to_string(file)
        {
            *read = Read { stamp: Some(stamp), servers: parse(&text) };
        }
        read.servers.clone()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.size(), metadata.ino()))
}

/// The servers that a resolv.conf names, without this one: it would ask itself for ever.
fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address: IpAddr = words.next().filter(|word| *word == "nameserver").and(words.next())?.parse().ok()?;
        (address != RESOLVER).then_some(SocketAddr::new(address, PORT))
    };
    text.lines().filter_map(server).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_those_of_the_lines_that_name_one() {
        let text = "# nameserver 9.9.9.9\nnameserver 169.254.1.53\nsearch example\n  nameserver\t192.0.2.1 # first\nnameserver ::1\n\
                    nameserver\nnameserver 256.1.1.1\nnameservers 1.1.1.1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        let servers: Vec<String> = parse(text).iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[::1]:53", "192.0.2.3:53"]);
        assert!(parse("").is_empty());
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_lost_one_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("resolv.conf");
        let upstreams = Upstreams::of_file(&file);
        assert!(upstreams.current().is_empty());
        let replace = |text: &str| {
            std::fs::write(dir.path().join("new"), text).unwrap();
            std::fs::rename(dir.path().join("new"), &file).unwrap();
            upstreams.current().iter().map(SocketAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(replace("nameserver 192.0.2.1\n"), ["192.0.2.1:53"]);
        assert_eq!(replace("nameserver 192.0.2.2\n"), ["192.0.2.2:53"]);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(upstreams.current().len(), 1);
        assert!(replace("").is_empty());
    }
}
