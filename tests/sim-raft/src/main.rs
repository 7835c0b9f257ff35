//! Lives many seeds, one thread for each processor, and prints what came of them. The exit code is 1 when anything did not hold.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use cluster_sim_raft::{Config, Report, Table, run};

const USAGE: &str = "usage: cluster-sim-raft [--seeds N] [--start S] [--seconds S] [--trace] [--twice] [--bug NAME, with the feature bugs]";

struct Arguments {
    seeds: u64,
    start: u64,
    config: Config,
    /// Lives each seed twice and compares.
    twice: bool,
    #[cfg(feature = "bugs")]
    bug: Option<cluster_sim_raft::bug::Bug>,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = Arguments {
        seeds: 100,
        start: 1,
        config: Config::default(),
        twice: false,
        #[cfg(feature = "bugs")]
        bug: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => arguments.seeds = words.next()?.parse().ok()?,
            "--start" => arguments.start = words.next()?.parse().ok()?,
            "--seconds" => arguments.config.seconds = words.next()?.parse().ok()?,
            "--trace" => arguments.config.aloud = true,
            "--twice" => arguments.twice = true,
            #[cfg(feature = "bugs")]
            "--bug" => {
                use cluster_sim_raft::bug::Bug;
                let name = words.next()?;
                arguments.bug = Some(*Bug::ALL.iter().chain(Bug::LOG).find(|bug| format!("{bug:?}") == name)?);
            }
            _ => return None,
        }
    }
    Some(arguments)
}

/// Lives a seed, and says when a second life differs.
fn live(seed: u64, arguments: &Arguments) -> Report {
    let report = run(seed, &arguments.config);
    if arguments.twice && run(seed, &arguments.config).hash != report.hash {
        println!("seed {seed} has another trace the second time");
    }
    report
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let begun = std::time::Instant::now();
    let next = AtomicU64::new(arguments.start);
    let table = std::sync::Mutex::new(Table::default());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        #[cfg(feature = "bugs")]
        cluster_sim_raft::bug::plant(arguments.bug);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= arguments.start + arguments.seeds {
                return;
            }
            let report = live(seed, &arguments);
            if report.violation.is_some() {
                println!("{report}\n");
            }
            if let Ok(mut table) = table.lock() {
                table.add(report);
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let table = table.into_inner().unwrap_or_default();
    println!("{table}");
    println!("{:<24}{:>12.1}", "real seconds", begun.elapsed().as_secs_f64());
    let silent = table.silent();
    silent.iter().for_each(|class| println!("never fired: {}", class.word()));
    ExitCode::from(u8::from(!table.failed.is_empty() || (arguments.seeds >= 50 && !silent.is_empty())))
}
