//! The state itself and what applying an entry gives back. How entries change it is in [`crate::apply`].

use cluster_types::{Cluster, Event, Network, Node, Rejection, Service, Task, Timestamp, Version};

use crate::View;
use crate::addresses::Addresses;
use crate::generic::Generics;
use crate::loads::Loads;
use crate::requests::Requests;
use crate::revisions::Revisions;
use crate::table::Table;

/// Everything that the managers replicate. A clone is cheap: both share what neither changes.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) index: Version,
    pub(crate) time: Timestamp,
    pub(crate) clusters: Table<Cluster>,
    pub(crate) nodes: Table<Node>,
    pub(crate) services: Table<Service>,
    pub(crate) tasks: Table<Task>,
    pub(crate) networks: Table<Network>,
    pub(crate) revisions: Revisions,
    pub(crate) loads: Loads,
    pub(crate) addresses: Addresses,
    pub(crate) generics: Generics,
    pub(crate) requests: Requests,
}

/// What applying one entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The entry's log index.
    pub index: Version,
    /// What became of each change, in their order.
    pub outcomes: Vec<Result<(), Rejection>>,
    /// What changed, in order. An object changed twice has two events.
    pub events: Vec<Event>,
}

impl State {
    /// The state before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An immutable look at the state as it is now.
    #[must_use]
    pub fn view(&self) -> View {
        View::of(self.clone())
    }

    /// Log index of the last applied entry; 0 before the first.
    #[must_use]
    pub fn index(&self) -> Version {
        self.index
    }
}
