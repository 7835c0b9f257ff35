//! Checks of containers: run beside everything else, a bounded number at a time, and handed to the task machine as verdicts.

use std::sync::Arc;
use std::time::Duration;

use cluster_runtime::{ProbeOutcome, Runtime, RuntimeError};
use cluster_task::Verdict;
use cluster_types::limits::PROBE_BYTES;
use cluster_types::{Check, TaskId};

use super::Worker;
use super::job::{Permits, caught};

/// A runtime that has not ended a probe so long after the probe's own time will not.
const SLACK: Duration = Duration::from_secs(60);

/// How a probe ended.
pub(super) struct Probed {
    task: TaskId,
    check: Check,
    verdict: Verdict,
}

impl Worker {
    /// Begins a probe. The machine asks for the next one only when this one has ended.
    pub(super) fn probe(&mut self, task: TaskId, check: Check) {
        let Some(slot) = self.slots.get(&task) else { return };
        let Some(time) = slot.observed.checks.of(check).map(|how| how.timeout) else { return };
        let (runtime, permits) = (Arc::clone(&self.runtime), self.permits.clone());
        self.probes.spawn(async move { Probed { task, check, verdict: run(runtime, permits, task, check, time).await } });
    }

    /// Hands the verdict to the machine.
    pub(super) fn take_in_probe(&mut self, probed: Result<Probed, tokio::task::JoinError>) {
        let Probed { task, check, verdict } = match probed {
            Ok(probed) => probed,
            // Probes catch panics themselves, and are aborted only when the worker ends.
            Err(error) => return tracing::error!(%error, "a probe was lost"),
        };
        let now = self.clock.now();
        let Some(slot) = self.slots.get_mut(&task) else { return };
        slot.probed(check, &verdict, now);
        if slot.memory.is_unhealthy() {
            tracing::info!(%task, "the container is unhealthy, so it is stopped");
        }
        self.ready.insert(task);
    }
}

async fn run(runtime: Arc<dyn Runtime>, permits: Permits, task: TaskId, check: Check, time: Duration) -> Verdict {
    let _permit = permits.probes().acquire().await;
    let probe = tokio::time::timeout(time.saturating_add(SLACK), caught(runtime.probe(task, check)));
    let outcome = probe.await.unwrap_or_else(|_| Err(RuntimeError::Failed("the runtime does not end the probe".to_owned())));
    if let Err(error) = &outcome {
        tracing::warn!(%task, %error, "the container cannot be probed");
    }
    verdict(outcome, time)
}

/// What an outcome says of the container. A failure always says why, in its last line.
fn verdict(outcome: Result<ProbeOutcome, RuntimeError>, time: Duration) -> Verdict {
    let last = |mut output: String, line: &str| {
        output.truncate(output.floor_char_boundary(PROBE_BYTES.saturating_sub(line.len() + 1)));
        let joint = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
        format!("{output}{joint}{line}")
    };
    match outcome {
        Ok(ProbeOutcome::Exited { code: 0, output }) => Verdict::Passed(output),
        Ok(ProbeOutcome::Exited { code, output }) if output.trim().is_empty() => {
            Verdict::Failed(format!("the check ended with exit code {code}"))
        }
        Ok(ProbeOutcome::Exited { output, .. }) => Verdict::Failed(output),
        Ok(ProbeOutcome::TimedOut { output }) => Verdict::Failed(last(output, &format!("the check did not end within {time:?}"))),
        Ok(ProbeOutcome::NotRun(reason)) => {
            tracing::debug!(reason, "a probe could not be run");
            Verdict::Unknown
        }
        Err(_) => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_why_in_its_last_line() {
        let time = Duration::from_secs(2);
        let failed = |outcome| match verdict(Ok(outcome), time) {
            Verdict::Failed(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(ProbeOutcome::Exited { code: 3, output: " \n".to_owned() }), "the check ended with exit code 3");
        assert_eq!(failed(ProbeOutcome::Exited { code: 3, output: "refused\n".to_owned() }), "refused\n");
        assert_eq!(failed(ProbeOutcome::TimedOut { output: String::new() }), "the check did not end within 2s");
        let long = failed(ProbeOutcome::TimedOut { output: "ü".repeat(PROBE_BYTES) });
        assert!(long.len() <= PROBE_BYTES && long.ends_with("\nthe check did not end within 2s"));
        assert_eq!(verdict(Ok(ProbeOutcome::NotRun("gone".to_owned())), time), Verdict::Unknown);
    }
}
