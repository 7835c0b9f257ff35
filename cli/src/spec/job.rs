//! Flags of jobs: how many are to complete, and when they run by themselves.

use clap::Args;
use cluster_types::{Overlap, Schedule, ServiceMode, ServiceSpec};

use super::bounds::set;

/// When a job runs by itself. The same for `create` and `update`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Jobs")]
pub(crate) struct Job {
    /// Most tasks of a job at the same time
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u64>,
    /// Run the job by the clock: five or six fields of cron, such as "0 3 * * *"; empty: never by itself
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// Time zone of the schedule, such as Europe/Zurich
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What happens when it is due while its last run goes on: forbid (it is left out) or replace (the last run is stopped)
    #[arg(long, value_name = "RULE", value_parser = overlap)]
    overlap: Option<Overlap>,
}

/// Zone of a schedule that names none.
const ZONE: &str = "UTC";

/// What `--mode` says of a new service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Replicated,
    Global,
    ReplicatedJob,
    GlobalJob,
}

impl Mode {
    /// With the number that was given. As docker: of a job it is how many complete, and how many run at the same time.
    pub(crate) fn with(self, replicas: Option<u64>) -> Result<ServiceMode, String> {
        let count = replicas.unwrap_or(1);
        match self {
            Self::Replicated => Ok(ServiceMode::Replicated { replicas: count }),
            Self::ReplicatedJob => Ok(ServiceMode::ReplicatedJob { max_concurrent: count, total: count }),
            Self::Global | Self::GlobalJob if replicas.is_some() => {
                Err("--replicas is for --mode replicated and replicated-job".to_owned())
            }
            Self::Global => Ok(ServiceMode::Global),
            Self::GlobalJob => Ok(ServiceMode::GlobalJob),
        }
    }
}

/// `--mode`.
pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "replicated" => Ok(Mode::Replicated),
        "global" => Ok(Mode::Global),
        "replicated-job" => Ok(Mode::ReplicatedJob),
        "global-job" => Ok(Mode::GlobalJob),
        other => Err(format!("`{other}` is no mode: use replicated, global, replicated-job or global-job")),
    }
}

/// `--overlap`.
fn overlap(text: &str) -> Result<Overlap, String> {
    match text {
        "forbid" => Ok(Overlap::Forbid),
        "replace" => Ok(Overlap::Replace),
        other => Err(format!("`{other}` is no rule for overlaps: use forbid or replace")),
    }
}

impl Job {
    /// Sets what was given.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) -> Result<(), String> {
        match (&mut spec.mode, self.max_concurrent) {
            (ServiceMode::ReplicatedJob { max_concurrent, .. }, Some(most)) => *max_concurrent = most,
            (_, Some(_)) => return Err("--max-concurrent is for --mode replicated-job".to_owned()),
            (_, None) => {}
        }
        match self.schedule.as_deref().map(str::trim) {
            Some("") => spec.schedule = None,
            Some(cron) if spec.mode.is_job() => {
                let schedule = spec.schedule.get_or_insert_with(|| Schedule {
                    cron: String::new(),
                    time_zone: ZONE.to_owned(),
                    overlap: Overlap::default(),
                });
                cron.clone_into(&mut schedule.cron);
            }
            Some(_) => return Err("--schedule is for jobs: give --mode replicated-job or global-job".to_owned()),
            None => {}
        }
        match &mut spec.schedule {
            Some(schedule) => {
                set(&mut schedule.time_zone, self.time_zone.clone());
                set(&mut schedule.overlap, self.overlap);
            }
            None if self.time_zone.is_some() || self.overlap.is_some() => {
                return Err("--time-zone and --overlap are for jobs with a --schedule".to_owned());
            }
            None => {}
        }
        Ok(())
    }
}
