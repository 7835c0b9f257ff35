//! Under which address other nodes reach this one: what the user said, else what the machine suggests, with the reason.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use cluster_network::rules::{LINK_PREFIX, OVERLAY_PREFIX};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// An address and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise {
    /// Address and port of a manager's gRPC port on this node.
    pub address: SocketAddr,
    /// For people.
    pub reason: String,
}

/// Where the overlay's packets to a node go: its address, when that is of IPv4.
#[must_use]
pub fn underlay(advertise: SocketAddr) -> Option<Ipv4Addr> {
    match advertise.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// What was given is none.
    #[error("`{0}` is no address: write HOST or HOST:PORT")]
    Invalid(String),
    /// This machine has no address but its loopback.
    #[error("this machine has no network address: give one with --advertise-addr")]
    None,
    /// It has several, and only the user knows which one is meant.
    #[error("this machine has several addresses ({0}): choose one with --advertise-addr")]
    Several(String),
}

/// The address that was asked for, or the one the machine suggests. `towards` is a manager that it must be reachable from.
///
/// # Errors
/// When nothing was asked for and the machine has none, or several that could be meant.
pub fn choose(asked: Option<&str>, port: u16, towards: Option<SocketAddr>) -> Result<Advertise, AddressError> {
    if let Some(asked) = asked {
        return Ok(Advertise { address: resolve(asked, port)?, reason: "as given".to_owned() });
    }
    if let Some(source) = towards.and_then(source_towards) {
        let reason = format!("the address from which this machine reaches {}", towards.map_or_else(String::new, |to| to.to_string()));
        return Ok(Advertise { address: SocketAddr::new(source, port), reason });
    }
    let found = addresses();
    match found.as_slice() {
        [] => Err(AddressError::None),
        [(link, address)] => Ok(Advertise { address: SocketAddr::new(*address, port), reason: format!("the only address, on {link}") }),
        several => {
            let list: Vec<String> = several.iter().map(|(link, address)| format!("{address} on {link}")).collect();
            Err(AddressError::Several(list.join(", ")))
        }
    }
}

/// `HOST` or `HOST:PORT` as an address.
///
/// # Errors
/// When it is neither, or its name has no address.
pub fn resolve(text: &str, port: u16) -> Result<SocketAddr, AddressError> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let with_port =
        if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) { text.to_owned() } else { format!("{text}:{port}") };
    with_port.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(|| AddressError::Invalid(text.to_owned()))
}

/// The address that packets to `target` leave from. Nothing is sent.
fn source_towards(target: SocketAddr) -> Option<IpAddr> {
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// Whether a link was made by a daemon of this machine.
pub(crate) fn is_own_link(name: &str) -> bool {
    [LINK_PREFIX, OVERLAY_PREFIX].iter().any(|prefix| name.starts_with(prefix))
}

/// The machine's IPv4 addresses on links that are up, without loopbacks and the daemons' own links.
fn addresses() -> Vec<(String, IpAddr)> {
    let links = getifaddrs().into_iter().flatten();
    let usable = links.filter(|link| {
        link.flags.contains(InterfaceFlags::IFF_UP)
            && !link.flags.contains(InterfaceFlags::IFF_LOOPBACK)
            && !is_own_link(&link.interface_name)
    });
    usable.filter_map(|link| Some((link.interface_name.clone(), IpAddr::V4(link.address?.as_sockaddr_in()?.ip())))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_taken_with_or_without_a_port() {
        assert_eq!(choose(Some("10.1.2.3"), 4740, None).unwrap().address, "10.1.2.3:4740".parse().unwrap());
        assert_eq!(choose(Some("10.1.2.3:99"), 4740, None).unwrap().address, "10.1.2.3:99".parse().unwrap());
        assert!(matches!(choose(Some("no host:x"), 4740, None), Err(AddressError::Invalid(_))));
    }

    #[test]
    fn a_manager_on_this_machine_is_reached_from_its_loopback() {
        let found = choose(None, 4740, Some("127.0.0.1:9".parse().unwrap())).unwrap();
        assert_eq!(found.address, "127.0.0.1:4740".parse().unwrap());
    }
}
