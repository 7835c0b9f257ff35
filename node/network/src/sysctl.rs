//! The kernel's switches of the host and of each of our links. Of the namespace of the calling thread.

use crate::NetworkError;

/// Switches of the whole host: it forwards; paths may differ by direction; nobody is told of a shorter way.
const HOST: [(&str, &str); 5] = [
    ("ip_forward", "1"),
    ("conf/all/rp_filter", "0"),
    ("conf/default/rp_filter", "0"),
    ("conf/all/send_redirects", "0"),
    ("conf/default/send_redirects", "0"),
];

/// Sets the host's switches. Says which were not as they should be.
pub(crate) fn settle_host() -> Result<Vec<&'static str>, NetworkError> {
    let wrong: Vec<(&str, &str)> = HOST.into_iter().filter(|(name, value)| !is(name, value)).collect();
    for (name, value) in &wrong {
        std::fs::write(path(name), value).map_err(NetworkError::file("setting a switch of IP forwarding"))?;
    }
    Ok(wrong.into_iter().map(|(name, _)| name).collect())
}

/// Sets the switches of one of our own links. 127.0.0.1 of this host may reach containers through published ports; the rules drop
/// 127.0.0.0/8 that comes from elsewhere.
pub(crate) fn settle_link(link: &str) -> bool {
    let names = [("rp_filter", "0"), ("send_redirects", "0"), ("route_localnet", "1")];
    names.into_iter().fold(false, |changed, (name, value)| settle(link, name, value) || changed)
}

/// Sets the switches of the link to the other hosts.
pub(crate) fn settle_underlay(link: &str) -> bool {
    settle(link, "rp_filter", "0")
}

fn settle(link: &str, name: &str, value: &str) -> bool {
    let name = format!("conf/{link}/{name}");
    if is(&name, value) {
        return false;
    }
    if let Err(error) = std::fs::write(path(&name), value) {
        tracing::warn!(%error, name, "a switch of a link cannot be set");
    }
    true
}

fn is(name: &str, value: &str) -> bool {
    std::fs::read_to_string(path(name)).is_ok_and(|has| has.trim() == value)
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/ipv4/{name}")
}
