//! Waiting until a service is where its spec wants it: shows what happens meanwhile, and says why when it cannot get there. It only watches:
//! when it stops, the change goes on.

pub(crate) mod drain;
mod job;
pub(crate) mod progress;
mod rollout;
pub(crate) mod screen;
mod summary;
#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::Args;
use cluster_api::pb;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::model::{ServiceView, TaskView};
use crate::render::age::took;
use progress::{Goal, Progress, Step, Verdict};
use screen::{Report, Screen};

/// A goal must hold this long before it counts: a container that ends at once is no success.
const SETTLE: Duration = Duration::from_millis(500);
/// Changes that come close together are looked at once.
const GATHER: Duration = Duration::from_millis(50);
/// Look again without being told, in case a change was missed.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Where nobody sees a live line, say that it still goes on.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Flags of every command that waits.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitFlags {
    /// Return at once instead of waiting
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", env = "CLUSTER_DETACH")]
    detach: Option<bool>,
    /// Longest time to wait (0: no end)
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "5m", env = "CLUSTER_TIMEOUT")]
    timeout: Duration,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl WaitFlags {
    /// Whether to return at once.
    pub(crate) fn detached(&self) -> bool {
        self.detach.unwrap_or(false)
    }
}

/// Waits for all goals side by side; the first that cannot be reached is the error, after all have ended.
pub(crate) async fn wait(client: &Client, goals: Vec<Goal>, flags: &WaitFlags) -> Result<(), Failure> {
    let screen = Screen::choose(flags.quiet);
    let names = goals.iter().map(|goal| goal.name.as_str()).collect::<Vec<_>>().join(" ");
    let all = futures::future::join_all(goals.into_iter().map(|goal| Waiter::new(client.clone(), goal, &screen, flags).run()));
    tokio::select! {
        results = all => results.into_iter().collect(),
        _ = tokio::signal::ctrl_c() => {
            screen.close();
            Err(interrupted(&names))
        }
    }
}

fn interrupted(names: &str) -> Failure {
    let first = names.split(' ').next().unwrap_or(names);
    Failure::usage(format!("stopped watching {names}; the change goes on"))
        .exit(Exit::Interrupted)
        .fix(format!("see it: cluster service ps {first}"))
}

struct Waiter {
    client: Client,
    progress: Progress,
    report: Report,
    started: Instant,
    deadline: Option<Instant>,
}

impl Waiter {
    fn new(client: Client, goal: Goal, screen: &Screen, flags: &WaitFlags) -> Self {
        let started = Instant::now();
        let deadline = (!flags.timeout.is_zero()).then(|| started + flags.timeout);
        Self { client, report: screen.report(&goal.name), progress: Progress::new(goal), started, deadline }
    }

    async fn run(mut self) -> Result<(), Failure> {
        let mut changes = Changes::new(self.client.clone(), self.progress.name().to_owned());
        let mut reached: Option<Duration> = None;
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            let elapsed = self.started.elapsed();
            let step = self.look(elapsed).await?;
            self.report.step(&step);
            match &step.verdict {
                Verdict::Reached if elapsed.saturating_sub(*reached.get_or_insert(elapsed)) >= SETTLE => {
                    self.report.done(&ok(self.progress.name(), &step, reached.unwrap_or(elapsed)), None);
                    return Ok(());
                }
                Verdict::Reached => {}
                Verdict::Ended(end, next) => {
                    self.report.done(end, next.as_deref());
                    return Ok(());
                }
                Verdict::Going => reached = None,
                Verdict::Cannot(failure) => return self.give_up(failure.clone()),
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let failure = self.progress.late(&step, elapsed);
                return self.give_up(failure);
            }
            if Instant::now() >= heartbeat {
                self.report.heartbeat(&step, elapsed);
                heartbeat = Instant::now() + HEARTBEAT;
            }
            let pause = if reached.is_some() { SETTLE } else { LOOK_AGAIN };
            changes.next(self.until(pause)).await;
        }
    }

    /// The next moment to look: after the pause, or at the deadline.
    fn until(&self, pause: Duration) -> Instant {
        let next = Instant::now() + pause;
        self.deadline.map_or(next, |deadline| deadline.min(next))
    }

    /// One look at the service. No leader just now is no reason to stop.
    async fn look(&mut self, elapsed: Duration) -> Result<Step, Failure> {
        match self.picture().await {
            Ok((service, tasks)) => Ok(self.progress.look(&service, &tasks, elapsed)),
            Err(failure) if failure.exit == Exit::Unavailable => Ok(self.progress.blind(&failure)),
            Err(failure) if failure.exit == Exit::NotFound => {
                self.report.close();
                Err(Failure::new("E0304", format!("{} was removed while it was watched", self.progress.name())).exit(Exit::NotFound))
            }
            Err(failure) => {
                self.report.close();
                Err(failure)
            }
        }
    }

    async fn picture(&self) -> Result<(ServiceView, Vec<TaskView>), Failure> {
        let service = self.client.service(self.progress.name()).await?;
        let tasks = self.client.tasks_of(&service).await?;
        Ok((service, tasks))
    }

    fn give_up(self, failure: Failure) -> Result<(), Failure> {
        self.report.close();
        Err(failure)
    }
}

/// The last line: `web is at 5/5 after 1.2 s`, and what is not as it was wished.
fn ok(name: &str, step: &Step, after: Duration) -> String {
    format!("{name} is at {}/{} after {}{}", step.running, step.goal, took(after), step.remark)
}

/// The stream of changes; opened again after a break, and a poll meanwhile.
pub(crate) struct Changes {
    client: Client,
    service: String,
    stream: Option<tonic::Streaming<pb::WatchResponse>>,
}

impl Changes {
    pub(crate) fn new(client: Client, service: String) -> Self {
        Self { client, service, stream: None }
    }

    /// Returns when something changed, and at `until` at the latest.
    pub(crate) async fn next(&mut self, until: Instant) {
        if self.stream.is_none() {
            let request = pb::WatchRequest { service: self.service.clone() };
            let opened = timeout_at(until, self.client.control().watch(request)).await;
            self.stream = opened.ok().and_then(Result::ok).map(tonic::Response::into_inner);
            if self.stream.is_some() {
                // What changed before the stream was open is seen by looking at once.
                return;
            }
        }
        let Some(stream) = &mut self.stream else {
            return tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(300))).await;
        };
        match timeout_at(until, stream.next()).await {
            Ok(Some(Ok(_))) => tokio::time::sleep(GATHER).await,
            Ok(Some(Err(_)) | None) => self.stream = None,
            Err(_) => {}
        }
    }
}
