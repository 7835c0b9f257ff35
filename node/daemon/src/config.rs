//! How a daemon is set up. A flag or its environment variable wins over the file, the file over the default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cluster_types::GenericPools;
use serde::{Deserialize, Serialize};

use crate::generic;

/// Where the file is when nobody says otherwise; it may be missing there.
pub const DEFAULT_FILE: &str = "/etc/cluster/config.toml";
/// The socket that the command line uses.
pub const DEFAULT_SOCKET: &str = "/run/cluster/api.sock";
/// Where state is kept.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/cluster";
/// The port of managers.
pub const DEFAULT_PORT: u16 = 4740;

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// Real containers.
    #[default]
    Embedded,
    /// Containers that exist in memory only, for tests and benchmarks.
    Fake,
}

/// How the daemon's own log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What may be set in the file, with the same names as the flags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Directory of the daemon's state.
    pub data_dir: Option<PathBuf>,
    /// Path of the unix socket.
    pub socket: Option<PathBuf>,
    /// Address and port that a manager listens on.
    pub listen_addr: Option<SocketAddr>,
    /// `HOST[:PORT]` under which other nodes reach this one.
    pub advertise_addr: Option<String>,
    /// What runs containers.
    pub runtime: Option<RuntimeKind>,
    /// How the log looks.
    pub log_format: Option<LogFormat>,
    /// Registries, as `host[:port]`, that may be spoken to without TLS.
    pub insecure_registries: Option<Vec<String>>,
    /// Generic resources of the machine, each as `KIND=NAME` or `KIND=NUMBER`.
    pub generic_resources: Option<Vec<String>>,
    /// How long a node certificate is valid, in seconds. 90 days unless set; tests set seconds.
    pub certificate_seconds: Option<u64>,
}

/// How a daemon is set up, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Directory of the daemon's state.
    pub data_dir: PathBuf,
    /// Path of the unix socket.
    pub socket: PathBuf,
    /// Address and port that a manager listens on.
    pub listen: SocketAddr,
    /// `HOST[:PORT]` under which other nodes reach this one; found when absent.
    pub advertise: Option<String>,
    /// What runs containers.
    pub runtime: RuntimeKind,
    /// How the log looks.
    pub log_format: LogFormat,
    /// Registries that may be spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// Generic resources of the machine.
    pub generic: GenericPools,
    /// How long a node certificate is valid.
    pub certificate_life: std::time::Duration,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, or was asked for, but cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be; the text has line and column.
    #[error("the configuration file {path} is wrong: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A value is out of range.
    #[error("{setting}: {reason}")]
    Value {
        /// Which setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
}

impl Settings {
    /// Reads a file. A missing default file is an empty one.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (file, asked) = path.map_or((Path::new(DEFAULT_FILE), false), |path| (path, true));
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).map_err(|error| ConfigError::Parse { path: file.to_owned(), reason: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !asked => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read { path: file.to_owned(), source }),
        }
    }

    /// These settings where they are set, else those of `file`.
    #[must_use]
    pub fn over(self, file: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(file.data_dir),
            socket: self.socket.or(file.socket),
            listen_addr: self.listen_addr.or(file.listen_addr),
            advertise_addr: self.advertise_addr.or(file.advertise_addr),
            runtime: self.runtime.or(file.runtime),
            log_format: self.log_format.or(file.log_format),
            insecure_registries: self.insecure_registries.or(file.insecure_registries),
            generic_resources: self.generic_resources.or(file.generic_resources),
            certificate_seconds: self.certificate_seconds.or(file.certificate_seconds),
        }
    }

    /// The complete configuration, defaults filled in.
    ///
    /// # Errors
    /// When a value is out of range.
    pub fn complete(self) -> Result<DaemonConfig, ConfigError> {
        /// Shorter ones would be renewed all the time.
        const SHORTEST_CERTIFICATE: u64 = 10;
        const NINETY_DAYS: u64 = 90 * 24 * 3600;
        let seconds = self.certificate_seconds.unwrap_or(NINETY_DAYS);
        if seconds < SHORTEST_CERTIFICATE {
            let reason = format!("{seconds} s is less than {SHORTEST_CERTIFICATE} s");
            return Err(ConfigError::Value { setting: "certificate-seconds", reason });
        }
        for (setting, path) in [("data-dir", &self.data_dir), ("socket", &self.socket)] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
                // Where the daemon is started is nobody's choice: a service manager's, or a shell's.
                let reason = format!("`{}` is not an absolute path: begin it with /", path.display());
                return Err(ConfigError::Value { setting, reason });
            }
        }
        let generic = generic::pools(&self.generic_resources.unwrap_or_default())
            .map_err(|reason| ConfigError::Value { setting: "generic-resources", reason })?;
        Ok(DaemonConfig {
            data_dir: self.data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into()),
            socket: self.socket.unwrap_or_else(|| DEFAULT_SOCKET.into()),
            listen: self.listen_addr.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], DEFAULT_PORT))),
            advertise: self.advertise_addr,
            runtime: self.runtime.unwrap_or_default(),
            log_format: self.log_format.unwrap_or_default(),
            insecure_registries: self.insecure_registries.unwrap_or_default(),
            generic,
            certificate_life: std::time::Duration::from_secs(seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file: Settings = toml::from_str("socket = \"/a\"\nlisten-addr = \"127.0.0.1:1\"\nruntime = \"fake\"").unwrap();
        let flags = Settings { socket: Some("/b".into()), ..Settings::default() };
        let config = flags.over(file).complete().unwrap();
        assert_eq!(config.socket, PathBuf::from("/b"));
        assert_eq!((config.listen.port(), config.runtime), (1, RuntimeKind::Fake));
        assert_eq!(config.data_dir, PathBuf::from(DEFAULT_DATA_DIR));
    }

    #[test]
    fn a_wrong_file_says_where_and_a_wrong_value_says_which() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "sokcet = \"/a\"\n").unwrap();
        let error = Settings::read(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("sokcet"), "{error}");
        assert!(Settings::read(Some(&dir.path().join("none"))).is_err());
        let wrong = Settings { certificate_seconds: Some(9), ..Settings::default() };
        assert!(wrong.complete().unwrap_err().to_string().starts_with("certificate-seconds"));
        let relative: Settings = toml::from_str("data-dir = \"state\"").unwrap();
        let error = relative.complete().unwrap_err().to_string();
        assert!(error.starts_with("data-dir: `state`"), "{error}");
    }
}
