//! What the runs of a job say of a change that is waited for: whether its run is over, or when the next one begins.

use std::time::Duration;

use super::progress::{Goal, Step, Verdict};
use super::summary;
use crate::model::ServiceView;
use crate::render::age;

/// How it stands, when the runs say so. Else it is for the tasks to say.
pub(super) fn verdict(service: &ServiceView, goal: &Goal, step: &Step, elapsed: Duration) -> Option<Verdict> {
    // Until the managers have looked at the change, the runs are of what was before it.
    let Some(job) = service.service.job.as_ref().filter(|job| job.cause >= goal.version.0) else { return Some(Verdict::Going) };
    if service.spec().schedule.is_some() && goal.run.is_none() {
        let next = job.next.map(|next| format!("{} runs next at {}", goal.name, age::rfc3339(next)));
        return Some(
            next.map_or(Verdict::Going, |next| Verdict::Ended(next, Some(format!("run it now: cluster service restart {}", goal.name)))),
        );
    }
    if job.iteration < goal.run.unwrap_or(1) {
        return Some(Verdict::Going);
    }
    job.ended?;
    let count = (step.running, step.goal);
    Some(if step.running < step.goal {
        Verdict::Cannot(summary::run_failed(&goal.name, count, &step.ended))
    } else {
        Verdict::Ended(format!("{} has completed {1}/{1} after {2}", goal.name, step.goal, age::took(elapsed)), None)
    })
}
