//! Connections that come in: TLS handshakes on a manager's port, and the unix socket of a daemon. Each request then carries a [`Peer`].
//!
//! A handshake has a deadline and runs beside the others, so that a silent client delays nobody (failures H14).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::identity::Identity;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes at the same time; more wait in the kernel's queue.
const HANDSHAKES: usize = 1024;

/// The other end of a connection, found in each request's extensions.
#[derive(Debug, Clone)]
pub enum Peer {
    /// Over TLS; without an identity when it showed no certificate.
    Network {
        /// What its certificate says.
        identity: Option<Identity>,
        /// Its address.
        address: SocketAddr,
    },
    /// Over the unix socket, whose file mode decided that it may.
    Socket,
}

/// A TLS connection after its handshake.
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

/// A connection of the unix socket.
pub struct SocketConnection(pub UnixStream);

impl Connected for TlsConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl Connected for SocketConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer::Socket
    }
}

/// The connections of a port, after their handshakes. Ends when it is dropped.
#[must_use]
pub fn tls(listener: TcpListener, config: Arc<ServerConfig>) -> ReceiverStream<io::Result<TlsConnection>> {
    let (ready, incoming) = mpsc::channel(HANDSHAKES);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        let permits = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let accepted = tokio::select! {
                biased;
                () = ready.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                // Out of file descriptors, most likely: the loop must survive it (RUSTSEC-2024-0376).
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            tokio::spawn(async move {
                let _permit = permit;
                match handshake(acceptor, stream, address).await {
                    Ok(connection) => drop(ready.send(Ok(connection)).await),
                    Err(error) => tracing::debug!(%address, %error, "a TLS handshake failed"),
                }
            });
        }
    });
    ReceiverStream::new(incoming)
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, address: SocketAddr) -> io::Result<TlsConnection> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.map(|der| Identity::from_certificate(der)).transpose().map_err(io::Error::other)?;
    Ok(TlsConnection { stream, peer: Peer::Network { identity, address } })
}

impl AsyncRead for TlsConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for SocketConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for SocketConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
