//! Health checks: what a user asks for, what an image brings, and what a node says of a container's health.
//!
//! Fields and defaults are Docker's (`swarm-behaviour.md` 1.7). Running the checks is the node's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a container is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthTest {
    /// As the image says; no check when it says nothing.
    #[default]
    Inherit,
    /// No check, whatever the image says.
    None,
    /// A program with its arguments.
    Cmd(Vec<String>),
    /// A line for `/bin/sh -c`.
    CmdShell(String),
}

/// A check as a user gives it: what is absent comes from the image, then from the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HealthSpec {
    /// How to ask.
    pub test: HealthTest,
    /// From the end of one probe to the start of the next.
    pub interval: Option<Duration>,
    /// A probe that takes longer has failed; all of its processes are killed.
    pub timeout: Option<Duration>,
    /// Failures in a row that make the container unhealthy.
    pub retries: Option<u32>,
    /// Failures within this time after the start do not count.
    pub start_period: Option<Duration>,
    /// The interval until the first success or the end of the start period.
    pub start_interval: Option<Duration>,
}

/// A check with everything filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Program and arguments, run inside the container.
    pub command: Vec<String>,
    /// From the end of one probe to the start of the next.
    pub interval: Duration,
    /// A probe that takes longer has failed.
    pub timeout: Duration,
    /// Failures in a row that make the container unhealthy; at least 1.
    pub retries: u32,
    /// Failures within this time after the start do not count.
    pub start_period: Duration,
    /// The interval until the first success or the end of the start period.
    pub start_interval: Duration,
}

impl HealthSpec {
    /// The check that results over an image's own; none when there is nothing to run.
    #[must_use]
    pub fn resolve(&self, image: Option<&Self>) -> Option<HealthCheck> {
        let empty = Self::default();
        let image = image.unwrap_or(&empty);
        let test = if self.test == HealthTest::Inherit { &image.test } else { &self.test };
        let command = match test {
            HealthTest::Inherit | HealthTest::None => return None,
            HealthTest::Cmd(command) => command.clone(),
            HealthTest::CmdShell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        };
        let pick = |own: Option<Duration>, theirs: Option<Duration>, default: u64| {
            own.or(theirs).filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(default))
        };
        Some(HealthCheck {
            command,
            interval: pick(self.interval, image.interval, 30),
            timeout: pick(self.timeout, image.timeout, 30),
            retries: self.retries.or(image.retries).filter(|retries| *retries > 0).unwrap_or(3),
            start_period: pick(self.start_period, image.start_period, 0),
            start_interval: pick(self.start_interval, image.start_interval, 5),
        })
    }
}

/// What a check says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// No probe has passed yet, and not enough have failed.
    #[default]
    Starting,
    /// The last probe that counts passed.
    Healthy,
    /// As many probes in a row failed as the check allows.
    Unhealthy,
}

/// A container's health, as its node reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskHealth {
    /// What the check says; healthy when there is only a readiness check.
    pub state: HealthState,
    /// Whether it takes traffic: false while a readiness check fails.
    pub ready: bool,
    /// What the last probe that changed something printed, cut to `limits::PROBE_BYTES`.
    pub output: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_comes_from_the_image_and_then_from_dockers_defaults() {
        let image = HealthSpec { test: HealthTest::CmdShell("true".to_owned()), retries: Some(7), ..HealthSpec::default() };
        let check = HealthSpec { interval: Some(Duration::from_secs(2)), ..HealthSpec::default() }.resolve(Some(&image)).unwrap();
        assert_eq!(check.command, ["/bin/sh", "-c", "true"]);
        assert_eq!((check.interval.as_secs(), check.timeout.as_secs(), check.retries), (2, 30, 7));
        assert_eq!((check.start_period, check.start_interval.as_secs()), (Duration::ZERO, 5));
    }

    #[test]
    fn none_and_nothing_are_no_check() {
        let image = HealthSpec { test: HealthTest::Cmd(vec!["/probe".to_owned()]), ..HealthSpec::default() };
        assert_eq!(HealthSpec { test: HealthTest::None, ..HealthSpec::default() }.resolve(Some(&image)), None);
        assert_eq!(HealthSpec::default().resolve(None), None);
    }
}
