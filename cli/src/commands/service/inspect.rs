//! `cluster service inspect`.

use clap::Args;
use cluster_api::pb;
use serde_json::Value;

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::render::output::Format;
use crate::render::{age, inspect, pretty};

/// Flags of `service inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Services or tasks: names such as web or web.3, or ids
    #[arg(required = true, value_name = "SERVICE")]
    references: Vec<String>,
    /// An indented array, or one object a line
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    format: Format,
    /// Lines for people; services only
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
}

impl Inspect {
    /// Prints them all, or none.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.pretty {
            return self.pretty(client).await;
        }
        let mut objects = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            objects.push(inspect_one(client, reference).await?);
        }
        print::data(&inspect::print(&objects, self.format))
    }

    async fn pretty(&self, client: &Client) -> Result<(), Failure> {
        let mut texts = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            texts.push(pretty::service(&client.service(reference).await?, age::now()));
        }
        print::data(&texts.join("\n"))
    }
}

/// A service; a task where no service has that name or id.
async fn inspect_one(client: &Client, reference: &str) -> Result<Value, Failure> {
    let missing = match client.service(reference).await {
        Ok(service) => return Ok(service.inspect()),
        Err(failure) if failure.exit == Exit::NotFound => failure,
        Err(failure) => return Err(failure),
    };
    let request = pb::ListTasksRequest { reference: reference.to_owned(), ..Default::default() };
    let tasks = client.tasks(request).await.unwrap_or_default();
    // Of a slot's tasks the newest is meant.
    tasks.iter().max_by_key(|view| (view.task.meta.created, view.task.id)).map(|view| view.inspect()).ok_or(missing)
}
