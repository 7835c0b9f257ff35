//! `--publish`: docker's short form `[PUBLISHED:]TARGET[/PROTOCOL]` with ranges, and the long form `mode=host,target=80,published=8080`.

use std::ops::RangeInclusive;

use cluster_types::{Protocol, PublishMode, PublishedPort};

/// The ports that one `--publish` means, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish(pub(crate) Vec<PublishedPort>);

/// Which ports `--publish-rm` means: by the port inside the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unpublish {
    target: u16,
    protocol: Option<Protocol>,
}

impl Unpublish {
    /// Whether it means this port.
    pub(crate) fn means(self, port: &PublishedPort) -> bool {
        port.target == self.target && self.protocol.is_none_or(|protocol| port.protocol == protocol)
    }
}

/// Reads either form.
pub(crate) fn publish(text: &str) -> Result<Publish, String> {
    if text.contains('=') { long(text).map(|port| Publish(vec![port])) } else { short(text).map(Publish) }
}

/// `TARGET[/PROTOCOL]`; docker's `PUBLISHED:TARGET` too.
pub(crate) fn unpublish(text: &str) -> Result<Unpublish, String> {
    let (ports, protocol) = text.split_once('/').map_or((text, None), |(ports, protocol)| (ports, Some(protocol)));
    let target = ports.rsplit(':').next().unwrap_or(ports);
    Ok(Unpublish { target: port(target)?, protocol: protocol.map(read_protocol).transpose()? })
}

fn short(text: &str) -> Result<Vec<PublishedPort>, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = read_protocol(protocol)?;
    let (published, target) = match ports.rsplit_once(':') {
        None => (None, ports),
        Some((published, _)) if published.contains([':', '.']) => {
            return Err(format!("`{text}` names an address of the host, which a service cannot: write PUBLISHED:TARGET"));
        }
        Some((published, target)) => (Some(published), target),
    };
    let targets = range(target)?;
    let published = published.map(range).transpose()?;
    if published.as_ref().is_some_and(|published| published.len() != targets.len()) {
        return Err(format!("`{text}` has two ranges of different length"));
    }
    let first = published.map_or(0, |published| *published.start());
    let port = |(offset, target)| {
        let published = if first == 0 { 0 } else { first + offset };
        PublishedPort { target, published, protocol, mode: PublishMode::Ingress }
    };
    Ok((0_u16..).zip(targets).map(port).collect())
}

fn long(text: &str) -> Result<PublishedPort, String> {
    let mut port_read = PublishedPort { target: 0, published: 0, protocol: Protocol::Tcp, mode: PublishMode::Ingress };
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
        match key.trim().to_ascii_lowercase().as_str() {
            "target" => port_read.target = port(value)?,
            "published" => port_read.published = port(value)?,
            "protocol" => port_read.protocol = read_protocol(value)?,
            "mode" => port_read.mode = mode(value)?,
            other => return Err(format!("`{other}` is no key of a port: use target, published, protocol and mode")),
        }
    }
    if port_read.target == 0 { Err(format!("`{text}` has no target port")) } else { Ok(port_read) }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("`{text}` is not a port: use 1 to 65535"))
}

fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first <= last { Ok(first..=last) } else { Err(format!("the range `{text}` runs backward")) }
}

fn read_protocol(text: &str) -> Result<Protocol, String> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Err("the protocol sctp is not supported yet: use tcp or udp".to_owned()),
        other => Err(format!("`{other}` is not a protocol: use tcp or udp")),
    }
}

fn mode(text: &str) -> Result<PublishMode, String> {
    match text.to_ascii_lowercase().as_str() {
        "ingress" => Ok(PublishMode::Ingress),
        "host" => Ok(PublishMode::Host),
        other => Err(format!("`{other}` is not a publish mode: use ingress or host")),
    }
}
