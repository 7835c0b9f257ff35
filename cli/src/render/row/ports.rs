//! Published ports in a cell of a table, as docker prints them.

use std::collections::BTreeSet;

use cluster_types::{Protocol, PublishedPort};

/// `*:8080->80/tcp,*:9000-9004->90-94/udp`: ports in a row are folded. Without a published port yet, `80/tcp`.
pub(crate) fn ports(ports: &[PublishedPort]) -> String {
    let sorted: BTreeSet<(&str, u16, u16)> = ports.iter().map(|port| (word(port.protocol), port.published, port.target)).collect();
    let mut runs: Vec<Run> = Vec::new();
    for (protocol, published, target) in sorted {
        match runs.last_mut() {
            Some(run) if run.goes_on_with(protocol, published, target) => run.more += 1,
            _ => runs.push(Run { protocol, published, target, more: 0 }),
        }
    }
    runs.iter().map(Run::text).collect::<Vec<_>>().join(",")
}

/// The protocol's word.
pub(crate) fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Ports whose numbers follow each other, outside and inside.
struct Run {
    protocol: &'static str,
    published: u16,
    target: u16,
    /// How many follow the first.
    more: u16,
}

impl Run {
    fn goes_on_with(&self, protocol: &str, published: u16, target: u16) -> bool {
        let after = |first: u16| first.checked_add(self.more).and_then(|last| last.checked_add(1));
        protocol == self.protocol && self.published != 0 && after(self.published) == Some(published) && after(self.target) == Some(target)
    }

    fn text(&self) -> String {
        let range = |first: u16| if self.more == 0 { first.to_string() } else { format!("{first}-{}", first.saturating_add(self.more)) };
        let outside = if self.published == 0 { String::new() } else { format!("*:{}->", range(self.published)) };
        format!("{outside}{}/{}", range(self.target), self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use cluster_types::PublishMode;

    use super::*;

    fn port(published: u16, target: u16, protocol: Protocol) -> PublishedPort {
        PublishedPort { target, published, protocol, mode: PublishMode::Ingress }
    }

    #[test]
    fn ports_in_a_row_are_folded() {
        use Protocol::{Tcp, Udp};
        for (given, text) in [
            (vec![], ""),
            (vec![port(8080, 80, Tcp)], "*:8080->80/tcp"),
            (vec![port(0, 80, Tcp), port(0, 81, Tcp)], "80/tcp,81/tcp"),
            (vec![port(8002, 82, Tcp), port(8000, 80, Tcp), port(8001, 81, Tcp)], "*:8000-8002->80-82/tcp"),
            (vec![port(8000, 80, Tcp), port(8001, 81, Udp)], "*:8000->80/tcp,*:8001->81/udp"),
            (vec![port(8000, 80, Tcp), port(8001, 80, Tcp)], "*:8000->80/tcp,*:8001->80/tcp"),
            (vec![port(65535, 65535, Tcp), port(65534, 65534, Tcp)], "*:65534-65535->65534-65535/tcp"),
        ] {
            assert_eq!(ports(&given), text);
        }
    }
}
