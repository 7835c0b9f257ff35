//! Flags of health and readiness checks. The same for `create` and `update`.

use std::time::Duration;

use clap::Args;
use cluster_types::{ContainerSpec, HealthSpec, HealthTest};

use super::value;

/// What `--no-healthcheck` leaves no place for.
const TIMES_AND_LINE: [&str; 6] =
    ["health_cmd", "health_interval", "health_timeout", "health_retries", "health_start_period", "health_start_interval"];

/// How a container is asked whether it lives and whether it takes traffic.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Health")]
pub(crate) struct Health {
    /// Shell line that says whether the container lives; one that does not is replaced
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    health_cmd: Option<String>,
    /// Time between two probes
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    health_interval: Option<Duration>,
    /// A probe that takes longer has failed
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    health_timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy
    #[arg(long, value_name = "N")]
    health_retries: Option<u32>,
    /// Failures within this time after the start do not count
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    health_start_period: Option<Duration>,
    /// Time between two probes during the start period
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    health_start_interval: Option<Duration>,
    /// No health check, whatever the image says
    #[arg(long, conflicts_with_all = TIMES_AND_LINE)]
    no_healthcheck: bool,
    /// Shell line that says whether it takes traffic; one that does not stays, without traffic
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    readiness_cmd: Option<String>,
    /// Time between two probes
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    readiness_interval: Option<Duration>,
    /// A probe that takes longer has failed
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    readiness_timeout: Option<Duration>,
    /// Failures in a row that take it out of the traffic
    #[arg(long, value_name = "N")]
    readiness_retries: Option<u32>,
}

impl Health {
    /// Sets what was given. An empty line takes the image's own check again, and of readiness none.
    pub(crate) fn apply(&self, container: &mut ContainerSpec) -> Result<(), String> {
        self.liveness(&mut container.health);
        self.readiness(&mut container.readiness)
    }

    fn liveness(&self, health: &mut HealthSpec) {
        if self.no_healthcheck {
            *health = HealthSpec { test: HealthTest::None, ..HealthSpec::default() };
            return;
        }
        let before = health.clone();
        if let Some(line) = &self.health_cmd {
            health.test = if line.is_empty() { HealthTest::Inherit } else { HealthTest::CmdShell(line.clone()) };
        }
        over(&mut health.interval, self.health_interval);
        over(&mut health.timeout, self.health_timeout);
        over(&mut health.retries, self.health_retries);
        over(&mut health.start_period, self.health_start_period);
        over(&mut health.start_interval, self.health_start_interval);
        // As docker: who sets how to check wants a check.
        if *health != before && health.test == HealthTest::None {
            health.test = HealthTest::Inherit;
        }
    }

    fn readiness(&self, readiness: &mut Option<HealthSpec>) -> Result<(), String> {
        match self.readiness_cmd.as_deref() {
            Some("") => *readiness = None,
            Some(line) => readiness.get_or_insert_default().test = HealthTest::CmdShell(line.to_owned()),
            None => {}
        }
        let timed = self.readiness_interval.is_some() || self.readiness_timeout.is_some() || self.readiness_retries.is_some();
        match readiness {
            None if timed => Err("there is no readiness check: give --readiness-cmd".to_owned()),
            None => Ok(()),
            Some(check) => {
                over(&mut check.interval, self.readiness_interval);
                over(&mut check.timeout, self.readiness_timeout);
                over(&mut check.retries, self.readiness_retries);
                Ok(())
            }
        }
    }
}

/// Sets an optional field when there is a value for it.
fn over<T: Copy>(field: &mut Option<T>, value: Option<T>) {
    *field = value.or(*field);
}
