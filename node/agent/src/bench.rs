//! A fleet of fake agents in one process: real sessions, real task machines, no containers and no disk. For `cluster bench agents` and for
//! load tests of managers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_runtime::FakeRuntime;
use cluster_types::{NodeDescription, NodeId, Platform, Reservation};
use futures::StreamExt as _;

use crate::{Agent, AgentConfig, Dial, LedgerError, Presence};

/// Agents that start at the same time: handshakes cost the managers.
const STARTING: usize = 64;
/// How often the fleet is counted while something is waited for …
const LOOK: Duration = Duration::from_millis(5);
/// … but never so often that counting takes more than one part in this many of a CPU.
const SHARE: u32 = 50;

/// One fake node: who it is and how it reaches the managers, with its own certificate.
#[derive(Clone)]
pub struct FleetNode {
    /// Its id.
    pub node: NodeId,
    /// Its way to the managers.
    pub dial: Arc<dyn Dial>,
}

/// Fake agents under one roof.
pub struct FakeFleet {
    agents: Vec<(Agent, Arc<FakeRuntime>)>,
}

/// What a fleet has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetProgress {
    /// Agents with an open session.
    pub sessions: usize,
    /// Fake containers that run.
    pub running: usize,
    /// Tasks whose Running status is in the managers' log.
    pub acknowledged: u64,
}

/// A fleet did not come as far as was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{waited:?} passed: {} sessions, {} running and {} acknowledged tasks of {wanted} wanted", .progress.sessions, .progress.running, .progress.acknowledged)]
pub struct FleetTimeout {
    /// How long it was waited.
    pub waited: Duration,
    /// What was waited for.
    pub wanted: u64,
    /// How far it came.
    pub progress: FleetProgress,
}

impl FakeFleet {
    /// Starts an agent for each node. Their sessions open in the background.
    ///
    /// # Errors
    /// As [`Agent::start`].
    pub async fn start(nodes: Vec<FleetNode>, managers: Vec<String>) -> Result<Self, LedgerError> {
        let starting = nodes.into_iter().enumerate().map(|(number, node)| start_one(number, node, managers.clone()));
        let started: Vec<_> = futures::stream::iter(starting).buffer_unordered(STARTING).collect().await;
        Ok(Self { agents: started.into_iter().collect::<Result<_, _>>()? })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> FleetProgress {
        let mut progress = FleetProgress { acknowledged: self.acknowledged(), ..FleetProgress::default() };
        for (agent, runtime) in &self.agents {
            progress.sessions += usize::from(self.is_open(agent));
            progress.running += runtime.running().len();
        }
        progress
    }

    fn is_open(&self, agent: &Agent) -> bool {
        matches!(agent.status().presence, Presence::Open { .. })
    }

    fn acknowledged(&self) -> u64 {
        self.agents.iter().map(|(agent, _)| agent.running_committed()).sum()
    }

    /// Waits until every agent has a session; how long that took.
    ///
    /// # Errors
    /// When it takes longer than `patience`.
    pub async fn connected(&self, patience: Duration) -> Result<Duration, FleetTimeout> {
        let all = || self.agents.iter().all(|(agent, _)| self.is_open(agent));
        self.until(all, self.agents.len() as u64, patience).await
    }

    /// Waits until `tasks` tasks have run and been acknowledged, counted from the fleet's start; how long that took.
    ///
    /// # Errors
    /// When it takes longer than `patience`.
    pub async fn acknowledged_tasks(&self, tasks: u64, patience: Duration) -> Result<Duration, FleetTimeout> {
        self.until(|| self.acknowledged() >= tasks, tasks, patience).await
    }

    async fn until(&self, reached: impl Fn() -> bool, wanted: u64, patience: Duration) -> Result<Duration, FleetTimeout> {
        let begun = Instant::now();
        loop {
            let looked = Instant::now();
            if reached() {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > patience {
                return Err(FleetTimeout { waited: begun.elapsed(), wanted, progress: self.progress() });
            }
            tokio::time::sleep(LOOK.max(looked.elapsed() * SHARE)).await;
        }
    }

    /// Ends all agents.
    pub async fn shutdown(self) {
        futures::future::join_all(self.agents.into_iter().map(|(agent, _)| agent.shutdown())).await;
    }
}

async fn start_one(number: usize, node: FleetNode, managers: Vec<String>) -> Result<(Agent, Arc<FakeRuntime>), LedgerError> {
    let runtime = Arc::new(FakeRuntime::new());
    let describe = move || NodeDescription {
        hostname: format!("fake-{number}"),
        platform: Platform { os: "linux".to_owned(), arch: std::env::consts::ARCH.to_owned() },
        // Room for many tasks, so that no reservation is in the way.
        capacity: Reservation { nano_cpus: 64_000_000_000, memory: 256 << 30 },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_address: data_address(number),
        generic: std::collections::BTreeMap::new(),
    };
    // Views cost the managers what they cost them for real nodes, and are acknowledged at once: there is no data path.
    let config = AgentConfig { describe: Arc::new(describe), ..AgentConfig::new(node.node, node.dial, managers) };
    Ok((Agent::start(config, Arc::clone(&runtime) as Arc<dyn cluster_runtime::Runtime>).await?, runtime))
}

/// Of the range for benchmarks: nobody is there. With addresses the nodes are peers of each other, as real ones are.
fn data_address(number: usize) -> Option<Ipv4Addr> {
    const RANGE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
    Some(Ipv4Addr::from(u32::from(RANGE) + u32::try_from(number % (1 << 17)).ok()?))
}
