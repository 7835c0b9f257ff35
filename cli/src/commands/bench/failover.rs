//! `bench failover`: writes one after the other, kills a manager's process, and says how long no write was acknowledged (performance.md P9).

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::commit::Writer;
use super::meter::{Meter, line};
use crate::client::Client;
use crate::connect::Host;
use crate::failure::Failure;

/// A write that takes longer is given up and sent again: its connection may lead to the dead.
const GIVE_UP: Duration = Duration::from_millis(250);
/// Steady writing before the kill.
const BEFORE: Duration = Duration::from_secs(1);

/// Flags of `bench failover`.
#[derive(Debug, Args)]
pub(crate) struct Failover {
    /// Process that gets SIGKILL: the leader's daemon on this machine, while -H names another manager; without it only the writing is watched
    #[arg(long)]
    pid: Option<u32>,
    /// How long it is written after the kill
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "5s")]
    time: Duration,
}

impl Failover {
    /// Measures.
    pub(crate) async fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        let mut writer = Writer::new(Client::open(host, identity).await?).await?;
        let meter = Meter::start();
        let before = longest_gap(&mut writer, BEFORE).await;
        if let Some(pid) = self.pid {
            super::kill(pid)?;
        }
        let after = longest_gap(&mut writer, self.time).await;
        let reading = meter.read();
        writer.remove().await?;
        let figures = json!({
            "killed": self.pid, "writes": before.1 + after.1, "longest_gap_before_ms": before.0.as_secs_f64() * 1e3,
            "longest_gap_ms": after.0.as_secs_f64() * 1e3, "seconds": reading.seconds, "client_cpu_seconds": reading.cpu_seconds,
        });
        line("failover", figures)
    }
}

/// The longest time between two acknowledged writes, and how many there were.
async fn longest_gap(writer: &mut Writer, time: Duration) -> (Duration, u64) {
    let (begun, mut last) = (Instant::now(), Instant::now());
    let (mut longest, mut writes) = (Duration::ZERO, 0);
    while begun.elapsed() < time {
        match tokio::time::timeout(GIVE_UP, writer.write()).await {
            Ok(Ok(())) => {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                writes += 1;
            }
            // Refused at once while there is no leader: not too often.
            Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => {}
        }
    }
    (longest.max(last.elapsed()), writes)
}
