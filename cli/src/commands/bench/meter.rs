//! The clock of a measurement: wall time, this process's CPU time, the machine's load; and the line that it prints.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::print;

/// A measurement that runs.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    cpu: f64,
}

/// What it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Wall time, in seconds.
    pub(super) seconds: f64,
    /// CPU time of this process, in seconds.
    pub(super) cpu_seconds: f64,
}

impl Meter {
    pub(super) fn start() -> Self {
        Self { begun: Instant::now(), cpu: cpu() }
    }

    pub(super) fn read(&self) -> Reading {
        Reading { seconds: self.begun.elapsed().as_secs_f64().max(1e-9), cpu_seconds: cpu() - self.cpu }
    }
}

/// User and system time of this process, from `/proc`; zero where that cannot be read.
fn cpu() -> f64 {
    /// The unit of these fields on every architecture of Linux, in 1/s.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold spaces: state is field 3, so utime (14) is the 12th.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Prints a figure as one line, with where it was measured.
pub(super) fn line(name: &str, mut figures: Value) -> Result<(), Failure> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    figures["bench"] = json!(name);
    figures["load"] = json!(load.split(' ').next().and_then(|load| load.parse::<f64>().ok()));
    figures["cpus"] = json!(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    figures["version"] = json!(env!("CARGO_PKG_VERSION"));
    print::data(&format!("{figures}\n"))
}

/// Middle and 99th percentile of some times, in milliseconds.
pub(super) fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
    (milliseconds(at(50)), milliseconds(at(99)))
}

/// Middle, 99th percentile and best of some times.
pub(super) fn spread(times: &mut [Duration]) -> Value {
    let (median, worst) = percentiles(times);
    json!({ "median_ms": median, "p99_ms": worst, "min_ms": times.first().map(|time| time.as_secs_f64() * 1e3) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentiles(&mut times), (51.0, 100.0));
        assert_eq!(percentiles(&mut []), (0.0, 0.0));
    }

    #[test]
    fn work_costs_cpu_time() {
        let meter = Meter::start();
        let mut sum = 0_u64;
        while meter.read().cpu_seconds < 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(meter.read().seconds > 0.0);
    }
}
