//! Takes the overlay's port for a moment, to know that it is free; and when it is not, finds out who has it.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};

use futures::TryStreamExt as _;
use netlink_packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage};

/// The port, until this is dropped.
#[derive(Debug)]
pub struct Held {
    _socket: UdpSocket,
}

/// Takes a UDP port of this host.
///
/// # Errors
/// Who has it, or why it cannot be had, for people.
pub async fn hold(port: u16) -> Result<Held, String> {
    match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(socket) => Ok(Held { _socket: socket }),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(format!("taken by {}", holder(port).await)),
        Err(error) => Err(format!("not to be had: {error}")),
    }
}

async fn holder(port: u16) -> String {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: Vec<u64> = tables.iter().flat_map(|table| sockets(table, port)).collect();
    if let Some(program) = sockets.iter().filter(|socket| **socket != 0).find_map(|socket| program(*socket)) {
        return program;
    }
    let devices = devices(port).await;
    if devices.is_empty() { "another program".to_owned() } else { format!("the VXLAN device {}", devices.join(", ")) }
}

/// The numbers of the sockets that are bound to a port, from a table such as `/proc/net/udp`. The kernel's own have number 0.
fn sockets(table: &str, port: u16) -> Vec<u64> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, bound) = fields.get(1)?.rsplit_once(':')?;
        (u16::from_str_radix(bound, 16).ok()? == port).then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// The program that has a socket open.
fn program(socket: u64) -> Option<String> {
    let wanted = format!("socket:[{socket}]");
    let has = |process: &fs::DirEntry| {
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == wanted.as_str())
    };
    let mut processes = fs::read_dir("/proc").ok()?.flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let process = processes.find(has)?;
    let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
    Some(format!("`{}` (process {})", name.trim(), process.file_name().to_string_lossy()))
}

/// The VXLAN devices that listen at a port.
async fn devices(port: u16) -> Vec<String> {
    let Ok((connection, handle, _)) = rtnetlink::new_connection() else { return Vec::new() };
    let connection = tokio::spawn(connection);
    let links: Vec<LinkMessage> = handle.link().get().execute().try_collect().await.unwrap_or_default();
    connection.abort();
    links.iter().filter(|link| vxlan_port(link) == Some(port)).filter_map(name).collect()
}

fn name(link: &LinkMessage) -> Option<String> {
    link.attributes.iter().find_map(|attribute| if let LinkAttribute::IfName(name) = attribute { Some(name.clone()) } else { None })
}

fn vxlan_port(link: &LinkMessage) -> Option<u16> {
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let vxlan = infos.flatten().find_map(|info| if let LinkInfo::Data(InfoData::Vxlan(vxlan)) = info { Some(vxlan) } else { None })?;
    vxlan.iter().find_map(|value| if let InfoVxlan::Port(port) = value { Some(*port) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  129: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 0000000000000000 0
  130: 0100007F:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  131: 00000000:12B6 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
  132: short
";

    #[test]
    fn the_sockets_of_a_port_are_found_in_the_kernels_table() {
        assert_eq!(sockets(TABLE, 4789), [0, 4711]);
        assert_eq!(sockets(TABLE, 4790), [4712]);
        assert!(sockets(TABLE, 1).is_empty() && sockets("", 4789).is_empty());
    }

    #[tokio::test]
    async fn a_program_that_has_the_port_is_named() {
        let other = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let taken = hold(port).await.unwrap_err();
        assert!(taken.contains(&format!("process {}", std::process::id())), "{taken}");
        drop(other);
        assert!(hold(port).await.is_ok());
    }
}
