//! `cluster node drain`: moves the tasks of a node away, and shows how that goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use cluster_api::pb;
use cluster_types::ServiceId;
use tokio::time::Instant;

use super::update::send;
use crate::client::{Client, answer};
use crate::failure::{Exit, Failure};
use crate::model::{NodeView, TaskView};
use crate::print;
use crate::render::age;
use crate::spec::value;
use crate::watch::drain::Drain;
use crate::watch::progress::Verdict;
use crate::watch::screen::Screen;
use crate::watch::{Changes, LOOK_AGAIN};

/// How long the command waits when nothing says so.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is stopped at the deadline takes a moment to stop.
const STOPPING: Duration = Duration::from_secs(60);

/// Flags of `node drain`.
#[derive(Debug, Args)]
pub(crate) struct DrainNode {
    /// Node: host name or id; `self` is this host
    #[arg(value_name = "NODE")]
    node: String,
    /// Most tasks of one service that move at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    max_unavailable: u64,
    /// What has not moved after this time is stopped all the same
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    deadline: Option<Duration>,
    /// Return at once instead of waiting
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", env = "CLUSTER_DETACH")]
    detach: Option<bool>,
    /// Longest time to wait (0: no end) [default: 5m, or the deadline and a minute]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, env = "CLUSTER_TIMEOUT")]
    timeout: Option<Duration>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl DrainNode {
    /// Asks for it and waits until nothing is left there.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let node = super::resolve(client, &self.node).await?;
        let deadline = self.deadline.map(|after| age::now().plus(after).0);
        let request = pb::UpdateNodeRequest {
            availability: Some(pb::Availability::Drain.into()),
            drain: Some(pb::DrainSpec { max_unavailable: self.max_unavailable, deadline_ms: deadline }),
            ..Default::default()
        };
        send(client, &node.node.id.to_string(), request).await?;
        if self.detach.unwrap_or(false) {
            return print::data(&format!("{}\n", self.node));
        }
        let screen = Screen::choose(self.quiet);
        let hostname = node.node.description.hostname.clone();
        tokio::select! {
            end = self.follow(client, &node, &screen) => end,
            _ = tokio::signal::ctrl_c() => {
                screen.close();
                let failure = Failure::usage(format!("stopped watching {hostname}; the drain goes on")).exit(Exit::Interrupted);
                Err(failure.fix(format!("see it: cluster node ps {hostname}")))
            }
        }
    }

    async fn follow(&self, client: &Client, node: &NodeView, screen: &Screen) -> Result<(), Failure> {
        let hostname = &node.node.description.hostname;
        let (started, report) = (Instant::now(), screen.report(hostname));
        let patience = self.timeout.unwrap_or_else(|| self.deadline.map_or(PATIENCE, |deadline| deadline + STOPPING));
        let end = (!patience.is_zero()).then(|| started + patience);
        let (mut drain, mut services) = (Drain::new(node.node.id, hostname), BTreeSet::new());
        let mut changes = Changes::new(client.clone(), String::new());
        loop {
            match tasks(client, node, &mut services).await {
                Ok((tasks, stuck)) => {
                    let step = drain.look(&tasks, &stuck, started.elapsed());
                    report.step(&step);
                    if let Verdict::Ended(end, next) = &step.verdict {
                        report.done(end, next.as_deref());
                        return Ok(());
                    }
                }
                Err(failure) if failure.exit == Exit::Unavailable => {}
                Err(failure) => {
                    report.close();
                    return Err(failure);
                }
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                report.close();
                return Err(drain.late(started.elapsed()));
            }
            let next = Instant::now() + LOOK_AGAIN;
            changes.next(end.map_or(next, |end| end.min(next))).await;
        }
    }
}

/// The tasks of the services that have, or had, tasks on the node, and why some of them cannot move.
async fn tasks(
    client: &Client,
    node: &NodeView,
    services: &mut BTreeSet<ServiceId>,
) -> Result<(Vec<TaskView>, BTreeMap<String, String>), Failure> {
    let here = client.tasks(pb::ListTasksRequest { node: node.node.id.to_string(), ..Default::default() }).await?;
    services.extend(here.iter().filter(|view| view.task.holds_resources()).map(|view| view.task.service));
    let mut all: Vec<TaskView> = here.into_iter().filter(|view| !services.contains(&view.task.service)).collect();
    for service in services.iter() {
        match client.tasks(pb::ListTasksRequest { service: service.to_string(), ..Default::default() }).await {
            Ok(tasks) => all.extend(tasks),
            // Removed meanwhile: what it had on the node is still listed by the node.
            Err(failure) if failure.exit == Exit::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    let request = pb::GetDrainRequest { reference: node.node.id.to_string() };
    let stuck = answer(client.control().get_drain(request)).await?.cannot_move;
    Ok((all, stuck.into_iter().map(|stuck| (stuck.task_name, stuck.reason)).collect()))
}
