//! `cluster service ps`, and the list of tasks that `node ps` shares.

use clap::Args;
use cluster_api::pb;

use crate::client::Client;
use crate::failure::Failure;
use crate::model::TaskView;
use crate::print;
use crate::render::age;
use crate::render::output::ListFlags;
use crate::render::row::{TaskRow, service_warning};

/// Flags of `service ps`.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Services: names or ids
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    list: ListFlags,
}

/// The filters that lists of tasks know.
const FILTERS: &[&str] = &["id", "name", "node", "desired-state", "current-state"];

impl Ps {
    /// Prints the tasks of all of them.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut tasks = Vec::new();
        let mut warnings = Vec::new();
        for reference in &self.services {
            let view = client.service(reference).await?;
            warnings.extend(view.troubles().map(|trouble| service_warning(view.name(), trouble)));
            let service = view.service.id.to_string();
            tasks.extend(client.tasks(pb::ListTasksRequest { service, ..Default::default() }).await?);
        }
        print_tasks(tasks, &self.list)?;
        warnings.iter().for_each(|warning| print::words(warning));
        Ok(())
    }
}

/// Prints the tasks that the filters let through.
pub(crate) fn print_tasks(mut tasks: Vec<TaskView>, list: &ListFlags) -> Result<(), Failure> {
    let filters = list.filters(FILTERS)?;
    tasks.retain(|view| filters.iter().all(|(key, values)| values.iter().any(|value| matches(view, key, value))));
    print::data(&list.print(&TaskRow::rows(tasks, age::now())))
}

fn matches(view: &TaskView, key: &str, value: &str) -> bool {
    match key {
        "id" => view.task.id.to_string().starts_with(value),
        "name" => view.name().starts_with(value),
        "node" => view.node_hostname == value || view.task.node.is_some_and(|node| node.to_string().starts_with(value)),
        "desired-state" => view.task.desired.word() == value,
        "current-state" => view.task.status.state.word() == value,
        _ => false,
    }
}
