//! Flags of the container's process that have one value. The same for `create` and `update`.

use std::time::Duration;

use clap::Args;
use cluster_types::ContainerSpec;

use super::bounds::set;
use super::{value, words};

/// The container's process.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Container")]
pub(crate) struct Process {
    /// Replaces the image's entrypoint (words are split as a shell does)
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    entrypoint: Option<String>,
    /// Host name of the container
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Whether a small init is PID 1 (it reaps and forwards signals)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    init: Option<bool>,
    /// Makes the root file system read-only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<bool>,
    /// Keeps processes from gaining privileges
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_new_privileges: Option<bool>,
    /// Time from the stop signal to SIGKILL
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    stop_grace_period: Option<Duration>,
    /// Signal that asks the container to stop
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// User and group, names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
}

impl Process {
    /// Sets what was given. An empty text takes the image's own again.
    pub(crate) fn apply(&self, container: &mut ContainerSpec) -> Result<(), String> {
        if let Some(entrypoint) = &self.entrypoint {
            container.command = Some(words::split(entrypoint)?).filter(|words| !words.is_empty());
        }
        text(&mut container.hostname, self.hostname.as_ref());
        text(&mut container.user, self.user.as_ref());
        text(&mut container.dir, self.workdir.as_ref());
        text(&mut container.stop_signal, self.stop_signal.as_ref());
        set(&mut container.init, self.init);
        set(&mut container.read_only, self.read_only);
        set(&mut container.no_new_privileges, self.no_new_privileges);
        set(&mut container.stop_grace, self.stop_grace_period);
        Ok(())
    }
}

fn text(field: &mut Option<String>, value: Option<&String>) {
    if let Some(value) = value {
        *field = Some(value.clone()).filter(|value| !value.is_empty());
    }
}
