//! The unix socket of the daemon: mode 0660, group `cluster` where the group exists. Who may open it may do everything.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cluster_api::incoming::SocketConnection;
use futures::StreamExt as _;
use nix::unistd::{Group, chown};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;

/// The group whose members may use the socket.
const GROUP: &str = "cluster";

/// Opens the socket, in place of one that a dead daemon left.
///
/// # Errors
/// When another daemon answers on it, or the file system refuses.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let text = format!("another daemon answers on {}: stop it, or choose another --socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    if let Ok(Some(group)) = Group::from_name(GROUP) {
        chown(path, None, Some(group.gid))?;
    }
    Ok(listener)
}

/// Its connections.
pub fn connections(listener: UnixListener) -> impl futures::Stream<Item = io::Result<SocketConnection>> {
    UnixListenerStream::new(listener).map(|stream| stream.map(SocketConnection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_left_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/api.sock");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(&path).unwrap();
    }
}
