//! Why the kernel could not be told. The texts reach users in `service ps`.

use std::net::Ipv4Addr;

use cluster_types::{NetworkId, Protocol, TaskId};

/// Why a container has no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The port is taken on this host.
    #[error("host port {port}/{word} is taken on this host by another program or container", word = protocol_word(*protocol))]
    PortTaken {
        /// The port.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
    },
    /// No port of the automatic range is free.
    #[error("no port from 30000 to 32767 is free on this host")]
    NoPort,
    /// Another task on this host still has the address.
    #[error("address {address} is still in use on this host by task {task}, which did not end in time", task = task.short())]
    AddressTaken {
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        task: TaskId,
    },
    /// The managers did not tell of a network in time.
    #[error("network {network} is not known on this host: its managers did not tell of it in time", network = .0.short())]
    UnknownNetwork(NetworkId),
    /// The network of this host was taken down.
    #[error("the container network of this host is closed")]
    Closed,
    /// A step with the kernel failed.
    #[error("{step}: {reason}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// Files under the data directory could not be read or written.
    #[error("{step}: {source}")]
    File {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// `nft` refused the rules.
    #[error("nft refused the rules: {0}")]
    Rules(String),
}

impl NetworkError {
    /// Puts the step in front of what the kernel said.
    pub(crate) fn kernel<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |reason| Self::Kernel { step, reason: reason.to_string() }
    }

    /// Puts the step in front of an error of the file system.
    pub(crate) fn file(step: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { step, source }
    }
}

pub(crate) fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}
