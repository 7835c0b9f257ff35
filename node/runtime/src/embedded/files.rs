//! The three files that a container finds in its `/etc` and that are written for it: hosts, hostname, resolv.conf. Texts are made by pure
//! functions.

use std::fmt::Write as _;
use std::io;

use cluster_types::{ContainerSpec, NetworkMode};

use crate::record::{Folder, Record};

/// Writes them into the container's folder.
pub(super) fn write(folder: &Folder, record: &Record) -> io::Result<()> {
    let spec = &record.config.spec.container;
    let host_file = |path| std::fs::read_to_string(path).unwrap_or_default();
    let base = match record.config.spec.network {
        NetworkMode::Host => host_file("/etc/hosts"),
        NetworkMode::Default | NetworkMode::None => LOCAL_HOSTS.to_owned(),
    };
    std::fs::write(folder.hosts(), hosts(base, record))?;
    std::fs::write(folder.hostname(), format!("{}\n", record.hostname))?;
    std::fs::write(folder.resolv_conf(), resolv_conf(spec, host_file("/etc/resolv.conf")))
}

/// What every host file begins with, as docker writes it.
const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n\
                           ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

fn hosts(mut text: String, record: &Record) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in &record.config.spec.container.hosts {
        if let Some((name, address)) = entry.split_once(':') {
            let _ = writeln!(text, "{address}\t{name}");
        }
    }
    if let Some(address) = &record.address {
        let _ = writeln!(text, "{address}\t{}", record.hostname);
    }
    text
}

/// The spec's name servers, or the host's file.
fn resolv_conf(spec: &ContainerSpec, host: String) -> String {
    if spec.dns.is_empty() { host } else { spec.dns.iter().map(|server| format!("nameserver {server}\n")).collect() }
}
