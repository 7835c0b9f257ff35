//! The three files that a container finds in its `/etc` and that are written for it: hosts, hostname, resolv.conf. Texts are made by pure
//! functions.

use std::fmt::Write as _;
use std::io;

use cluster_network::names::RESOLVER;
use cluster_types::{ContainerSpec, NetworkMode};

use crate::ContainerConfig;
use crate::record::{Folder, Record};

/// Writes them into the container's folder.
pub(super) fn write(folder: &Folder, record: &Record) -> io::Result<()> {
    let spec = &record.config.spec.container;
    let host_file = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (base, names) = match record.config.spec.network {
        NetworkMode::Host => (host_file("/etc/hosts"), host_file("/etc/resolv.conf")),
        NetworkMode::Default => (LOCAL_HOSTS.to_owned(), node_names()),
        NetworkMode::None => (LOCAL_HOSTS.to_owned(), host_file("/etc/resolv.conf")),
    };
    std::fs::write(folder.hosts(), hosts(base, &record.config, &record.hostname))?;
    std::fs::write(folder.hostname(), format!("{}\n", record.hostname))?;
    std::fs::write(folder.resolv_conf(), resolv_conf(spec, names))
}

/// What every host file begins with, as docker writes it.
const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n\
                           ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// The container's own name stands for its address in each of its networks, the first one before the others.
fn hosts(mut text: String, config: &ContainerConfig, hostname: &str) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in &config.spec.container.hosts {
        if let Some((name, address)) = entry.split_once(':') {
            let _ = writeln!(text, "{address}\t{name}");
        }
    }
    for has in &config.addresses {
        let _ = writeln!(text, "{}\t{hostname}", has.address);
    }
    text
}

/// The name service of the node knows the cluster's names, and asks the host's resolvers for others. Every name is asked for as it is: the
/// host's search domains would only send the cluster's names to the world first.
fn node_names() -> String {
    format!("nameserver {RESOLVER}\noptions ndots:0\nsearch .\n")
}

/// The spec's name servers, or these.
fn resolv_conf(spec: &ContainerSpec, others: String) -> String {
    if spec.dns.is_empty() { others } else { spec.dns.iter().map(|server| format!("nameserver {server}\n")).collect() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cluster_types::{NetworkId, ServiceId, TaskAddress, TaskId, TaskSpec};

    use super::*;

    fn config(addresses: &[[u8; 4]]) -> ContainerConfig {
        let mut spec = TaskSpec::default();
        spec.container.hosts = vec!["db:192.0.2.9".to_owned()];
        let has = |(number, address): (u128, &[u8; 4])| TaskAddress { network: NetworkId::from_bits(number), address: (*address).into() };
        ContainerConfig {
            task: TaskId::from_bits(1),
            service: ServiceId::from_bits(1),
            name: "web.1".to_owned(),
            spec: Arc::new(spec),
            ports: Vec::new(),
            addresses: (1..).zip(addresses).map(has).collect(),
            generic: Default::default(),
        }
    }

    #[test]
    fn the_hosts_file_names_the_container_at_each_of_its_addresses() {
        let text = hosts("127.0.0.1\tlocalhost".to_owned(), &config(&[[10, 196, 0, 5], [10, 200, 0, 7]]), "web.1");
        assert_eq!(text, "127.0.0.1\tlocalhost\n192.0.2.9\tdb\n10.196.0.5\tweb.1\n10.200.0.7\tweb.1\n");
        assert_eq!(hosts(String::new(), &config(&[]), "web.1"), "192.0.2.9\tdb\n");
    }

    #[test]
    fn names_come_from_the_node_unless_the_spec_says_from_where() {
        let mut spec = ContainerSpec::default();
        assert_eq!(resolv_conf(&spec, node_names()), "nameserver 169.254.1.53\noptions ndots:0\nsearch .\n");
        spec.dns = vec!["192.0.2.53".to_owned(), "192.0.2.54".to_owned()];
        assert_eq!(resolv_conf(&spec, node_names()), "nameserver 192.0.2.53\nnameserver 192.0.2.54\n");
    }
}
