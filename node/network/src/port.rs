//! Host-mode ports: chosen, and held by a bound socket for as long as they are published, so that no other program of the host takes them
//! and a port that is taken already (sshd's!) is refused (failures E13). Packets never reach the socket: the rules send them on.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use cluster_types::{Protocol, PublishedPort};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, Shutdown, SocketAddrV4, SocketType, bind, listen, shutdown, socket_with};

use crate::NetworkError;

/// Ports that are given where none was asked for (swarm's range).
const AUTOMATIC: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// A published port with the socket that holds it.
#[derive(Debug)]
pub struct HeldPort {
    /// With its real number on the host.
    pub port: PublishedPort,
    _socket: OwnedFd,
}

impl HeldPort {
    /// Takes a port, or a free one when its number is 0.
    ///
    /// # Errors
    /// When it is taken, or none is free.
    pub fn take(mut port: PublishedPort) -> Result<Self, NetworkError> {
        if port.published != 0 {
            return match hold(port) {
                Ok(socket) => Ok(Self { port, _socket: socket }),
                Err(rustix::io::Errno::ADDRINUSE) => Err(NetworkError::PortTaken { port: port.published, protocol: port.protocol }),
                Err(error) => Err(NetworkError::kernel("binding a host port")(error)),
            };
        }
        for number in AUTOMATIC {
            port.published = number;
            if let Ok(socket) = hold(port) {
                return Ok(Self { port, _socket: socket });
            }
        }
        Err(NetworkError::NoPort)
    }
}

/// A bound socket that does not listen: whoever asks for the port hears that it is taken.
///
/// Connections that another program had there and that are over keep a port for a minute, except from one that may use it again
/// (`SO_REUSEADDR`). But two sockets that both may are let to one port as long as neither listens. So this one gives that right up once it
/// has the port, and listens for a moment, which has the kernel note it; shut at once, it accepts nothing.
fn hold(port: PublishedPort) -> Result<OwnedFd, rustix::io::Errno> {
    let kind = match port.protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(AddressFamily::INET, kind, rustix::net::SocketFlags::CLOEXEC, None)?;
    let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port.published);
    match port.protocol {
        Protocol::Udp => bind(&socket, &address)?,
        Protocol::Tcp => {
            set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &address)?;
            listen(&socket, 0)?;
            set_socket_reuseaddr(&socket, false)?;
            shutdown(&socket, Shutdown::Both)?;
        }
    }
    Ok(socket)
}

/// Whether a port of this host is free now.
#[must_use]
pub fn is_free(port: u16, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Tcp => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok(),
        Protocol::Udp => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpStream;

    use cluster_types::PublishMode;

    use super::*;

    fn tcp(published: u16) -> PublishedPort {
        PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Host }
    }

    #[test]
    fn a_port_is_held_until_dropped_and_a_taken_one_is_refused() {
        let held = HeldPort::take(tcp(0)).unwrap();
        let number = held.port.published;
        assert!(!is_free(number, Protocol::Tcp));
        assert!(matches!(HeldPort::take(tcp(number)), Err(NetworkError::PortTaken { port, .. }) if port == number));
        drop(held);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert!(HeldPort::take(tcp(taken)).unwrap_err().to_string().contains("is taken on this host"));
    }

    #[test]
    fn a_port_is_free_as_soon_as_the_program_that_had_it_has_ended() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = server.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", number)).unwrap();
        let (connection, _) = server.accept().unwrap();
        // Who closes first keeps the port for a minute.
        drop((connection, server));
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        let held = HeldPort::take(tcp(number)).unwrap();
        assert!(!is_free(number, Protocol::Tcp), "a server that may use ports again");
        assert!(TcpStream::connect(("127.0.0.1", number)).is_err(), "nobody listens");
        assert!(HeldPort::take(tcp(number)).is_err(), "another holder");
        drop(held);
        assert!(is_free(number, Protocol::Tcp));
    }
}
