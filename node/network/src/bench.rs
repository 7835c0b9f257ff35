//! Measures the data path of one host with many services, for `cluster bench network`: how long all rules take to load and one change of
//! them to apply, and what a connect through a service's address or a published port costs beside a direct one.
//!
//! Everything is in network namespaces and a mount namespace of its own, which end with it, however it ends: nothing of the machine's own
//! network is touched. It drives `HostNetwork` as the agent and the runtime do. Needs root.

mod connects;
mod services;
mod stage;

use std::time::{Duration, Instant};

use cluster_types::{Version, ViewItems};

use crate::NetworkError;
use connects::Times;
use stage::Stage;

/// Changes of each kind that are made; the median counts.
const CHANGES: u16 = 10;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Services, each with an address.
    pub services: u32,
    /// Endpoints of each.
    pub endpoints: usize,
    /// Connects of each kind.
    pub connections: usize,
}

/// What was measured. Times of one kind are in the order in which they were taken.
#[derive(Debug)]
pub struct Figures {
    /// Loading all services at once.
    pub load: Duration,
    /// Applying a view in which one endpoint of one service is another.
    pub endpoint: Vec<Duration>,
    /// Applying a view in which one more port is published.
    pub port: Vec<Duration>,
    /// A TCP connect from a container to another.
    pub direct: Vec<Duration>,
    /// The same through addresses of services, all of them in turn.
    pub service: Vec<Duration>,
    /// The same from outside of the host, through a published port.
    pub published: Vec<Duration>,
    /// Bytes of the whole document of rules.
    pub document: usize,
}

/// Measures.
///
/// # Errors
/// When the machine refuses something; root is needed, and `nft`.
pub fn measure(plan: Plan) -> Result<Figures, NetworkError> {
    let step = "starting the measurement";
    // A thread of its own: it leaves the machine's namespaces for good, and what it starts is where it is.
    let thread = std::thread::Builder::new().name("bench".to_owned()).spawn(move || {
        stage::leave_the_machine()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NetworkError::file(step))?;
        runtime.block_on(run(plan))
    });
    thread.map_err(NetworkError::file(step))?.join().unwrap_or_else(|_| Err(NetworkError::kernel(step)("its thread broke off")))
}

async fn run(plan: Plan) -> Result<Figures, NetworkError> {
    let stage = Stage::open().await?;
    let figures = on(&stage, plan).await;
    stage.network.close().await;
    figures
}

async fn on(stage: &Stage, plan: Plan) -> Result<Figures, NetworkError> {
    let mut version = 2;
    let mut view = services::view(plan);
    let load = apply(stage, &view, &mut version).await?;
    let document = stage.network.document_bytes().await;
    let mut endpoint = Vec::new();
    let mut port = Vec::new();
    for number in 0..CHANGES {
        services::change_endpoint(&mut view, plan, number);
        endpoint.push(apply(stage, &view, &mut version).await?);
        services::publish_one_more(&mut view, plan, number);
        port.push(apply(stage, &view, &mut version).await?);
    }
    let Times { direct, service, published } = connects::measure(stage, plan).await?;
    Ok(Figures { load, endpoint, port, direct, service, published, document })
}

async fn apply(stage: &Stage, view: &ViewItems, version: &mut u64) -> Result<Duration, NetworkError> {
    *version += 1;
    let begun = Instant::now();
    stage.network.apply(view, Version(*version)).await?;
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root and `nft`. Fails when a connect does not come through.
    #[test]
    fn a_small_host_is_measured() {
        let figures = measure(Plan { services: 20, endpoints: 3, connections: 16 }).unwrap();
        let changes = usize::from(CHANGES);
        assert_eq!((figures.endpoint.len(), figures.port.len()), (changes, changes));
        assert_eq!((figures.direct.len(), figures.service.len(), figures.published.len()), (16, 16, 16));
        assert!(figures.document > 20 * 50, "a chain for each service");
    }
}
