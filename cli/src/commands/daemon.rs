//! `cluster daemon`: the flags of the daemon; what it does is `cluster-daemon`'s.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cluster_daemon::config::{LogFormat, RuntimeKind, Settings};

use crate::failure::Failure;

/// Flags of `daemon`. Each wins over the file, the file over the default.
#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// Configuration file (TOML, same names as the flags) [default: /etc/cluster/config.toml]
    #[arg(long, value_name = "FILE", env = "CLUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the daemon's state [default: /var/lib/cluster]
    #[arg(long, value_name = "DIR", env = "CLUSTER_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Path of the unix socket [default: /run/cluster/api.sock]
    #[arg(long, value_name = "PATH", env = "CLUSTER_SOCKET")]
    socket: Option<PathBuf>,
    /// Address and port that a manager listens on [default: 0.0.0.0:4740]
    #[arg(long, value_name = "ADDRESS:PORT", env = "CLUSTER_LISTEN_ADDR")]
    listen_addr: Option<SocketAddr>,
    /// HOST[:PORT] under which other nodes reach this one; found when absent
    #[arg(long, value_name = "HOST[:PORT]", env = "CLUSTER_ADVERTISE_ADDR")]
    advertise_addr: Option<String>,
    /// What runs containers
    #[arg(long, value_enum, env = "CLUSTER_RUNTIME")]
    runtime: Option<Runtime>,
    /// How the log looks
    #[arg(long, value_enum, env = "CLUSTER_LOG_FORMAT")]
    log_format: Option<Format>,
    /// Registry (HOST[:PORT]) that may be spoken to without TLS
    #[arg(long, value_name = "REGISTRY", env = "CLUSTER_INSECURE_REGISTRIES", value_delimiter = ',')]
    insecure_registry: Vec<String>,
    /// Generic resource of this machine: KIND=NAME for each instance, or KIND=NUMBER
    #[arg(long, value_name = "KIND=NAME", env = "CLUSTER_GENERIC_RESOURCES", value_delimiter = ',')]
    generic_resource: Vec<String>,
    /// How long a node certificate is valid, in seconds
    #[arg(long, value_name = "SECONDS", env = "CLUSTER_CERTIFICATE_SECONDS", hide = true)]
    certificate_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Runtime {
    /// Real containers
    Embedded,
    /// Containers that exist in memory only
    Fake,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Daemon {
    /// Runs until it is told to stop.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let file = Settings::read(self.config.as_deref()).map_err(wrong)?;
        let config = self.settings().over(file).complete().map_err(wrong)?;
        cluster_daemon::run(config).map_err(|error| Failure::new("E0204", format!("the daemon has ended: {error}")))
    }

    fn settings(self) -> Settings {
        let runtime = |runtime| match runtime {
            Runtime::Embedded => RuntimeKind::Embedded,
            Runtime::Fake => RuntimeKind::Fake,
        };
        let format = |format| match format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        Settings {
            data_dir: self.data_dir.map(whole),
            socket: self.socket.map(whole),
            listen_addr: self.listen_addr,
            advertise_addr: self.advertise_addr,
            runtime: self.runtime.map(runtime),
            log_format: self.log_format.map(format),
            insecure_registries: Some(self.insecure_registry).filter(|registries| !registries.is_empty()),
            generic_resources: Some(self.generic_resource).filter(|resources| !resources.is_empty()),
            certificate_seconds: self.certificate_seconds,
        }
    }
}

/// A path from here as a whole one: what the daemon starts may be elsewhere.
fn whole(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn wrong(error: cluster_daemon::config::ConfigError) -> Failure {
    Failure::new("E0203", error.to_string().trim_end()).note("The daemon was not started.")
}
