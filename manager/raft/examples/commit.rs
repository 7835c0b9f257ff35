//! Measures commits: prints one JSON line with commits a second for 1 and 64 clients on 1 and 3 managers, syncs per 1,000 commits, and how
//! long writes stall when the leader is killed. Everything runs in this process over loopback and real disks (`TMPDIR`).
//!
//! `cargo run --release -p cluster-raft --example commit`

#![expect(clippy::expect_used, reason = "a measurement that fails has no figure")]

#[path = "../tests/support/group.rs"]
mod group;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use group::{Group, node};

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(3);
/// Bytes of a command, about.
const PADDING: usize = 256;

struct Figure {
    managers: u64,
    clients: u64,
    per_second: f64,
    latency_micros: f64,
    syncs_per_1000: f64,
}

#[expect(clippy::print_stdout, reason = "it is a program whose output is its result")]
#[tokio::main]
async fn main() {
    let mut figures = Vec::new();
    let numbers = Arc::new(AtomicU64::new(1));
    for managers in [1, 3] {
        let group = Group::new(managers).await;
        for clients in [1, 64] {
            figures.push(measure(&group, managers, clients, &numbers).await);
        }
    }
    let commits: Vec<String> = figures.iter().map(Figure::json).collect();
    let stall = stall(&numbers).await;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("0");
    println!("{{\"commits\":[{}],\"failover_ms\":{stall:?},\"padding_bytes\":{PADDING},\"load\":{load}}}", commits.join(","));
}

impl Figure {
    fn json(&self) -> String {
        format!(
            "{{\"managers\":{},\"clients\":{},\"per_second\":{:.0},\"latency_us\":{:.0},\"syncs_per_1000\":{:.0}}}",
            self.managers, self.clients, self.per_second, self.latency_micros, self.syncs_per_1000
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn measure(group: &Group, managers: u64, clients: u64, numbers: &Arc<AtomicU64>) -> Figure {
    let raft = group.leader().await.raft().clone();
    let before = raft.progress().syncs;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (raft, numbers) = (raft.clone(), numbers.clone());
        tasks.spawn(async move {
            let mut done = 0_u64;
            while began.elapsed() < SPAN {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                raft.propose(&node(number, PADDING)).await.expect("committed");
                done += 1;
            }
            done
        });
    }
    let done: u64 = tasks.join_all().await.iter().sum();
    let took = began.elapsed().as_secs_f64();
    Figure {
        managers,
        clients,
        per_second: done as f64 / took,
        latency_micros: took * 1e6 * clients as f64 / done as f64,
        syncs_per_1000: (raft.progress().syncs - before) as f64 * 1000.0 / done as f64,
    }
}

/// Kills the leader five times; each time from the kill to the next committed write, in milliseconds.
async fn stall(numbers: &Arc<AtomicU64>) -> Vec<u128> {
    let mut group = Group::new(3).await;
    let mut stalls = Vec::new();
    for _ in 0..5 {
        let leader = group.leader().await.id;
        group.propose(&node(numbers.fetch_add(1, Ordering::Relaxed), PADDING)).await;
        let began = Instant::now();
        group.kill(leader).await;
        group.propose(&node(numbers.fetch_add(1, Ordering::Relaxed), PADDING)).await;
        stalls.push(began.elapsed().as_millis());
        group.restart(leader).await;
        group.settle(numbers.fetch_add(1, Ordering::Relaxed)).await;
    }
    stalls
}
