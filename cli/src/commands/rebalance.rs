//! `cluster rebalance`: evens out replicated services over the nodes, with as few moves as that takes.

use clap::Args;
use cluster_api::pb;
use serde_json::json;

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::print;
use crate::render::output::Format;
use crate::render::table::table;

/// Flags of `rebalance`.
#[derive(Debug, Args)]
pub(crate) struct Rebalance {
    /// Service: name or id; all services when absent
    #[arg(value_name = "SERVICE", default_value = "", hide_default_value = true)]
    service: String,
    /// Say what would move; move nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, hide_default_value = true, env = "CLUSTER_FORMAT")]
    format: Format,
}

impl Rebalance {
    /// Prints the moves. They go on by themselves, within the limits of each service's updates.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = pb::RebalanceRequest { service: self.service.clone(), dry_run: self.dry_run, request_id: request_id() };
        let moves = match answer(client.control().rebalance(request)).await {
            Ok(planned) => planned.moves,
            Err(failure) if self.service.is_empty() => return Err(failure),
            Err(failure) => return Err(client.suggest_service(&self.service, failure).await),
        };
        match self.format {
            Format::Json => print::data(&moves.iter().map(|of| format!("{}\n", object(of))).collect::<String>())?,
            Format::Table if moves.is_empty() => {}
            Format::Table => print::data(&table(&["TASK", "FROM", "TO"], &moves.iter().map(row).collect::<Vec<_>>()))?,
        }
        let tasks = if moves.len() == 1 { "1 task".to_owned() } else { format!("{} tasks", moves.len()) };
        print::words(&match (moves.is_empty(), self.dry_run) {
            (true, _) => "ok  nothing to move: the tasks are spread evenly".to_owned(),
            (false, true) => format!("{tasks} would move     do it: cluster rebalance {}", self.service).trim_end().to_owned(),
            (false, false) => format!("ok  {tasks} to move, within the limits of the services' updates     see it: cluster service ps"),
        });
        Ok(())
    }
}

fn row(of: &pb::Move) -> Vec<String> {
    vec![of.task_name.clone(), of.from_hostname.clone(), of.to_hostname.clone()]
}

fn object(of: &pb::Move) -> serde_json::Value {
    json!({ "TaskID": of.task, "Task": of.task_name, "From": of.from_hostname, "To": of.to_hostname })
}
