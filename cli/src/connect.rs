//! Where the commands go: the socket of the daemon on this host, or a manager's port with a node's credentials.
//!
//! It connects before the first request, so that an unreachable daemon is told apart from a daemon that answers with an error.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use cluster_api::callers::CallerKind;
use cluster_api::{Caller, Credentials, caller, tls};
use cluster_daemon::config::{DEFAULT_DATA_DIR, DEFAULT_PORT, DEFAULT_SOCKET};
use cluster_daemon::identity_store::IdentityStore;
use tokio::net::{TcpStream, UnixStream};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use crate::failure::{Exit, Failure};

/// How long the daemon or manager may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A place to send commands to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// The unix socket of a daemon.
    Socket(PathBuf),
    /// `HOST:PORT` of a manager.
    Manager(String),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.starts_with('/').then_some(text)) {
            return if path.starts_with('/') { Ok(Self::Socket(path.into())) } else { Err(format!("`{path}` is not an absolute path")) };
        }
        let address = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("https://")).unwrap_or(text).trim_end_matches('/');
        if address.contains("://") {
            return Err(format!("`{text}`: use unix:///PATH or HOST:PORT"));
        }
        manager(address).map(Self::Manager).ok_or_else(|| format!("`{text}` is neither unix:///PATH nor HOST:PORT"))
    }
}

/// `HOST:PORT` with the default port where none is given.
fn manager(address: &str) -> Option<String> {
    if let Ok(address) = address.parse::<std::net::Ipv6Addr>() {
        return Some(format!("[{address}]:{DEFAULT_PORT}"));
    }
    let (host, port) = match address.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
        Some((host, port)) => (host, port.parse::<u16>().ok()?),
        None => (address, DEFAULT_PORT),
    };
    let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c));
    plain.then(|| format!("{host}:{port}"))
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Manager(address) => f.write_str(address),
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::Socket(DEFAULT_SOCKET.into())
    }
}

/// Names the operator where the connection is a node's: managers honour that from managers only.
#[derive(Debug, Clone)]
pub(crate) struct Forward(bool);

impl Interceptor for Forward {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        let operator = Caller { kind: CallerKind::Operator, node: None }.forwarded();
        if let (true, Ok(operator)) = (self.0, MetadataValue::try_from(operator)) {
            request.metadata_mut().insert(caller::FORWARDED, operator);
        }
        Ok(request)
    }
}

/// An open way to a daemon or manager.
pub(crate) type Connection = InterceptedService<Channel, Forward>;

/// Connects.
pub(crate) async fn connect(host: &Host, identity: Option<&Path>) -> Result<Connection, Failure> {
    match host {
        Host::Socket(path) => socket(path).await.map(|channel| InterceptedService::new(channel, Forward(false))),
        Host::Manager(address) => {
            let channel = port(address, identity.unwrap_or(Path::new(DEFAULT_DATA_DIR))).await?;
            Ok(InterceptedService::new(channel, Forward(true)))
        }
    }
}

async fn socket(path: &Path) -> Result<Channel, Failure> {
    let tried = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await;
    tried.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(|error| no_daemon(path, &error))?;
    let endpoint = Endpoint::from_shared(format!("unix://{}", path.display()));
    let endpoint = endpoint.map_err(|_| Failure::usage(format!("{} cannot be a socket's path", path.display())))?;
    Ok(endpoint.connect_lazy())
}

fn no_daemon(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new("E0101", format!("no daemon answers at {}", path.display())).exit(Exit::Unavailable);
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Failure::new("E0410", format!("you may not use {}", path.display()))
            .exit(Exit::Denied)
            .cause("the socket is for root and the group `cluster`")
            .fix("run it with sudo, or join the group: sudo usermod -aG cluster $USER (then log in again)"),
        std::io::ErrorKind::NotFound => failure
            .cause("there is no such socket: the daemon does not run, or listens elsewhere")
            .fix("start it: sudo systemctl start cluster     or: sudo cluster daemon")
            .fix("or name its socket: -H unix:///PATH (or CLUSTER_HOST)"),
        std::io::ErrorKind::ConnectionRefused => failure
            .cause("the socket is there but nobody listens: the daemon has stopped")
            .fix("start it: sudo systemctl start cluster     or see why: journalctl -u cluster"),
        _ => failure.cause(error.to_string()).fix("see how it is: systemctl status cluster"),
    }
}

async fn port(address: &str, identity: &Path) -> Result<Channel, Failure> {
    let credentials = credentials(identity)?;
    let unreachable = |cause: String| {
        Failure::new("E0106", format!("the manager {address} does not answer"))
            .exit(Exit::Unavailable)
            .cause(cause)
            .fix("check the address and the port, or use another manager: -H HOST:PORT")
    };
    let tried = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    tried
        .unwrap_or_else(|_| Err(std::io::Error::other(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))))
        .map_err(|error| unreachable(error.to_string()))?;
    tls::connect(address, &credentials).map_err(|error| Failure::new("E0107", error.to_string()).exit(Exit::Denied))
}

/// The credentials of the node whose data directory it is.
fn credentials(directory: &Path) -> Result<Credentials, Failure> {
    let failure = |cause: String| {
        Failure::new("E0107", format!("no credentials in {}", directory.display()))
            .exit(Exit::Denied)
            .cause(cause)
            .fix("a manager's port wants a manager's certificate: --identity DATA-DIR of a daemon that is a manager (or CLUSTER_IDENTITY)")
    };
    let stored = IdentityStore::new(directory).load().map_err(|error| failure(error.to_string()))?;
    let stored = stored.ok_or_else(|| failure("there is no identity.json: that daemon is in no cluster".to_owned()))?;
    Credentials::from_pem(&stored.certificate, &stored.key, &stored.root).map_err(|error| failure(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_sockets_or_managers() {
        let manager = |text: &str| Ok(Host::Manager(text.to_owned()));
        assert_eq!("unix:///run/a.sock".parse(), Ok(Host::Socket("/run/a.sock".into())));
        assert_eq!("/run/a.sock".parse(), Ok(Host::Socket("/run/a.sock".into())));
        assert_eq!("10.0.0.1:99".parse(), manager("10.0.0.1:99"));
        assert_eq!("tcp://n1".parse(), manager("n1:4740"));
        assert_eq!("fd00::1".parse(), manager("[fd00::1]:4740"));
        assert_eq!("[fd00::1]:99".parse(), manager("[fd00::1]:99"));
        for wrong in ["unix://a", "ssh://a", "n1:port", "", "a b"] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }
}
