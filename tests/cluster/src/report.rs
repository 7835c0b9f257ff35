//! What a test measured, as one JSON line: the figures with the machine's load, so that they can be compared.

use std::fs;
use std::time::Duration;

/// Durations of the same thing.
#[derive(Debug, Default)]
pub struct Report {
    seconds: Vec<f64>,
}

impl Report {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        self.seconds.push(took.as_secs_f64());
    }

    /// Prints them.
    pub fn print(mut self, what: &str) {
        self.seconds.sort_by(f64::total_cmp);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let at = |share: usize| self.seconds.get((self.seconds.len().saturating_sub(1)) * share / 100).copied().unwrap_or(f64::NAN);
        let line = serde_json::json!({
            "what": what, "runs": self.seconds.len(), "min_s": at(0), "median_s": at(50), "max_s": at(100),
            "load": load.split(' ').next(),
        });
        eprintln!("{line}");
    }
}
