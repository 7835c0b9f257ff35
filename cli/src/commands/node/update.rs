//! `cluster node update`, `promote` and `demote`.

use clap::{Args, ValueEnum};
use cluster_api::pb;

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::print;
use crate::spec::value;

/// Flags of `node update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Node: host name or id
    #[arg(value_name = "NODE")]
    node: String,
    /// Whether it takes tasks
    #[arg(long, value_enum)]
    availability: Option<Availability>,
    /// What it is in the cluster
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Set a label
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label_add: Vec<(String, String)>,
    /// Take a label away
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
}

/// Flags of `node promote`.
#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Nodes: host names or ids
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
}

/// Flags of `node demote`.
#[derive(Debug, Args)]
pub(crate) struct Demote {
    /// Nodes: host names or ids
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Availability {
    /// Takes new tasks
    Active,
    /// Keeps its tasks, takes no new ones
    Pause,
    /// Its tasks move away
    Drain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Runs containers
    Worker,
    /// Also keeps the cluster's state
    Manager,
}

impl Update {
    /// Sends the change; prints the node as it was named.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let nothing = self.availability.is_none() && self.role.is_none() && self.label_add.is_empty() && self.label_rm.is_empty();
        if nothing {
            return Err(Failure::usage("nothing to change").fix("give --availability, --role, --label-add or --label-rm"));
        }
        let availability = self.availability.map(|availability| match availability {
            Availability::Active => pb::Availability::Active,
            Availability::Pause => pb::Availability::Pause,
            Availability::Drain => pb::Availability::Drain,
        });
        let role = self.role.map(|role| match role {
            Role::Worker => pb::Role::WorkerNode,
            Role::Manager => pb::Role::ManagerNode,
        });
        let request = pb::UpdateNodeRequest {
            availability: availability.map(Into::into),
            role: role.map(Into::into),
            labels_set: self.label_add.into_iter().collect(),
            labels_removed: self.label_rm,
            ..Default::default()
        };
        send(client, &self.node, request).await?;
        print::data(&format!("{}\n", self.node))
    }
}

impl Promote {
    /// Promotes one after the other.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for node in &self.nodes {
            set_role(client, node, pb::Role::ManagerNode).await?;
            print::words(&format!("ok  {node} becomes a manager"));
        }
        warn_even(client).await;
        Ok(())
    }
}

impl Demote {
    /// Demotes one after the other.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for node in &self.nodes {
            set_role(client, node, pb::Role::WorkerNode).await?;
            print::words(&format!("ok  {node} becomes a worker"));
        }
        warn_even(client).await;
        Ok(())
    }
}

async fn set_role(client: &Client, node: &str, role: pb::Role) -> Result<(), Failure> {
    send(client, node, pb::UpdateNodeRequest { role: Some(role.into()), ..Default::default() }).await
}

pub(super) async fn send(client: &Client, reference: &str, request: pb::UpdateNodeRequest) -> Result<(), Failure> {
    let node = if reference == "self" { super::resolve(client, reference).await?.node.id.to_string() } else { reference.to_owned() };
    let request = pb::UpdateNodeRequest { reference: node, request_id: request_id(), ..request };
    match answer(client.control().update_node(request)).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(client.suggest_node(reference, failure).await),
    }
}

/// An even number of managers survives no more losses than one manager less.
async fn warn_even(client: &Client) {
    let Ok(nodes) = client.nodes("").await else { return };
    let managers = nodes.iter().filter(|view| view.node.is_manager()).count();
    if managers > 0 && managers.is_multiple_of(2) {
        print::words(&format!("note: {managers} managers survive the loss of {}, no more than {} would", (managers - 1) / 2, managers - 1));
    }
}
