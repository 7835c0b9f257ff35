//! The addresses that a cluster gives: those of a new one are what the user asked for, or the standard ones; and no host takes part that
//! uses some of them already, neither the first nor one that joins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cluster_api::{ApiError, FieldError, pb};
use cluster_types::{NetworkPool, Subnet};
use nix::ifaddrs::getifaddrs;

use crate::address::is_own_link;

/// Prefixes of pools: smaller ones have no room for nodes and networks, larger ones are not to be had.
const POOLS: std::ops::RangeInclusive<u8> = 8..=20;
/// A network is at least this many bits smaller than the pool …
const LARGEST: u8 = 5;
/// … and has at least eight addresses.
const SMALLEST: u8 = 29;
/// Where nobody chose: as the standard pool has it.
const USUAL: u8 = 8;

/// Addresses that something else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) subnet: Subnet,
    /// What has them, for people.
    pub(crate) by: String,
}

/// The pool of a new cluster. Whatever is empty or zero is filled in.
///
/// # Errors
/// When a value is out of range, or the host has some of the addresses.
pub(crate) fn choose(asked: pb::NetworkPool, taken: &[Taken]) -> Result<NetworkPool, ApiError> {
    let pool = complete(asked).and_then(sound).map_err(|wrong| ApiError::invalid(vec![wrong]))?;
    match overlap(&pool, taken) {
        None => Ok(pool),
        Some(what) => {
            Err(ApiError::precondition(what)
                .hint("give the cluster other addresses with --addr-pool, such as a free /16; nothing was changed"))
        }
    }
}

/// Whether a host with these addresses can join a cluster with this pool.
///
/// # Errors
/// When it has some of the pool's.
pub(crate) fn check(pool: &NetworkPool, taken: &[Taken]) -> Result<(), ApiError> {
    let hint =
        "take that address or route away, or make the cluster with other addresses (`cluster init --addr-pool`); nothing was changed";
    match overlap(pool, taken) {
        None => Ok(()),
        Some(what) => Err(ApiError::precondition(format!("the check `pool` failed: {what}")).hint(hint)),
    }
}

/// What of the pool is taken already, for people.
fn overlap(pool: &NetworkPool, taken: &[Taken]) -> Option<String> {
    let Taken { subnet, by } = taken.iter().find(|taken| taken.subnet.overlaps(pool.pool))?;
    Some(format!("the cluster's addresses {} overlap {subnet}, which this host has: {by}", pool.pool))
}

fn complete(asked: pb::NetworkPool) -> Result<NetworkPool, FieldError> {
    let standard = NetworkPool::standard();
    let pool = match asked.pool.as_str() {
        "" => standard.pool,
        text => text.parse::<Subnet>().map_err(|error| FieldError::new("network.pool", error.to_string()))?,
    };
    let number = |field: &str, wrong: u32| FieldError::new(field, format!("{wrong} is out of range"));
    let network_prefix = match asked.network_prefix {
        0 => (pool.prefix() + USUAL).min(SMALLEST),
        prefix => u8::try_from(prefix).map_err(|_| number("network.network_prefix", prefix))?,
    };
    let data_port = match asked.data_port {
        0 => standard.data_port,
        port => u16::try_from(port).map_err(|_| number("network.data_port", port))?,
    };
    Ok(NetworkPool { pool, network_prefix, data_port })
}

fn sound(pool: NetworkPool) -> Result<NetworkPool, FieldError> {
    let prefix = pool.pool.prefix();
    if !POOLS.contains(&prefix) {
        let reason = format!("its prefix /{prefix} is out of range: use /{} to /{}", POOLS.start(), POOLS.end());
        return Err(FieldError::new("network.pool", reason));
    }
    let networks = prefix + LARGEST..=SMALLEST;
    if !networks.contains(&pool.network_prefix) {
        let reason =
            format!("/{} is out of range: networks of {} are /{} to /{}", pool.network_prefix, pool.pool, networks.start(), networks.end());
        return Err(FieldError::new("network.network_prefix", reason));
    }
    Ok(pool)
}

/// What this host has: its addresses, the subnets that it has routes to, and the address that other nodes know it by.
pub(crate) fn taken(advertise: SocketAddr) -> Vec<Taken> {
    let links = getifaddrs().into_iter().flatten().filter(|link| !is_own_link(&link.interface_name));
    let addresses = links.filter_map(|link| Some((link.address?.as_sockaddr_in()?.ip(), format!("an address of {}", link.interface_name))));
    let known = match advertise.ip() {
        IpAddr::V4(address) => Some((address, "the address that other nodes reach it at".to_owned())),
        IpAddr::V6(_) => None,
    };
    let single = |(address, by)| Some(Taken { subnet: Subnet::around(address, 32)?, by });
    let mut taken = routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default());
    taken.extend(addresses.chain(known).filter_map(single));
    taken
}

/// The routes of a table such as `/proc/net/route`. The default route leads everywhere, and one that refuses leads nowhere: neither has an
/// address. Those of daemons of this machine end with what made them.
fn routes(table: &str) -> Vec<Taken> {
    table.lines().skip(1).filter_map(route).filter(|taken| taken.subnet.prefix() > 0).collect()
}

fn route(line: &str) -> Option<Taken> {
    /// The flag of a route that refuses.
    const REJECT: u32 = 0x200;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [link, destination, _, flags, _, _, _, mask, ..] = fields.as_slice() else { return None };
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    if is_own_link(link) || number(flags)? & REJECT != 0 {
        return None;
    }
    // In the order of the wire, printed as the machine reads it.
    let address = |text: &str| Some(Ipv4Addr::from(number(text)?.to_ne_bytes()));
    let prefix = u8::try_from(u32::from(address(mask)?).leading_ones()).ok()?;
    Some(Taken { subnet: Subnet::around(address(destination)?, prefix)?, by: format!("a route over {link}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000C80A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
clua1\t0500C40A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\t0000C00A\t00000000\t0200\t0\t0\t0\t0000C0FF\t0\t0\t0
";

    fn asked(pool: &str, network_prefix: u32, data_port: u32) -> pb::NetworkPool {
        pb::NetworkPool { pool: pool.to_owned(), network_prefix, data_port }
    }

    #[test]
    fn nothing_asked_is_the_standard_pool() {
        assert_eq!(choose(pb::NetworkPool::default(), &[]).unwrap(), NetworkPool::standard());
        let own = choose(asked("10.20.0.0/16", 0, 4800), &[]).unwrap();
        assert_eq!((own.pool.to_string(), own.network_prefix, own.data_port), ("10.20.0.0/16".to_owned(), 24, 4800));
        assert_eq!(choose(asked("10.20.0.0/16", 21, 0), &[]).unwrap().network_prefix, 21);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (pool, prefix, port, field) in [
            ("10.0.0.0/7", 0, 0, "network.pool"),
            ("10.20.0.0/21", 0, 0, "network.pool"),
            ("10.20.0.1/16", 0, 0, "network.pool"),
            ("10.20.0.0/16", 20, 0, "network.network_prefix"),
            ("10.20.0.0/16", 30, 0, "network.network_prefix"),
            ("10.20.0.0/16", 300, 0, "network.network_prefix"),
            ("", 0, 65_536, "network.data_port"),
        ] {
            let error = choose(asked(pool, prefix, port), &[]).unwrap_err();
            assert_eq!(error.fields.first().map(|wrong| wrong.field.as_str()), Some(field), "{pool} {prefix} {port}: {error}");
        }
    }

    #[test]
    fn routes_are_read_and_those_of_nobody_left_out() {
        let routes: Vec<String> = routes(TABLE).into_iter().map(|taken| format!("{} {}", taken.subnet, taken.by)).collect();
        assert_eq!(routes, ["192.0.2.0/24 a route over eth0", "10.200.0.0/16 a route over tun0"]);
    }

    #[test]
    fn a_pool_that_the_host_uses_is_refused_with_a_way_out() {
        let taken = routes(TABLE);
        let error = choose(pb::NetworkPool::default(), &taken).unwrap_err();
        assert!(error.message.contains("10.200.0.0/16") && error.message.contains("tun0"), "{error}");
        assert!(error.hint.unwrap().contains("--addr-pool"));
        assert!(choose(asked("172.16.0.0/12", 0, 0), &taken).is_ok());
        let error = check(&NetworkPool::standard(), &taken).unwrap_err();
        assert!(error.message.starts_with("the check `pool` failed") && error.message.contains("10.200.0.0/16"), "{error}");
        assert!(check(&NetworkPool { pool: "172.16.0.0/12".parse().unwrap(), ..NetworkPool::standard() }, &taken).is_ok());
        let own = self::taken("10.192.0.9:4740".parse().unwrap());
        assert!(choose(pb::NetworkPool::default(), &own).is_err());
        assert!(own.iter().any(|taken| taken.subnet.to_string() == "127.0.0.1/32"));
    }
}
