//! Lives many seeds, one thread for each processor, and prints what came of them. The exit code is 1 when anything did not hold.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use cluster_sim::{Config, Table, run};

const USAGE: &str = "usage: cluster-sim [--seeds N] [--start S] [--minutes M] [--trace] [--bug NAME, with the feature bugs]";

struct Arguments {
    seeds: u64,
    start: u64,
    config: Config,
    #[cfg(feature = "bugs")]
    bug: Option<cluster_sim::bug::Bug>,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = Arguments {
        seeds: 100,
        start: 1,
        config: Config::default(),
        #[cfg(feature = "bugs")]
        bug: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => arguments.seeds = words.next()?.parse().ok()?,
            "--start" => arguments.start = words.next()?.parse().ok()?,
            "--minutes" => arguments.config.minutes = words.next()?.parse().ok()?,
            #[cfg(feature = "bugs")]
            "--bug" => {
                let name = words.next()?;
                arguments.bug = Some(*cluster_sim::bug::Bug::ALL.iter().find(|bug| format!("{bug:?}") == name)?);
            }
            "--trace" => arguments.config.aloud = true,
            _ => return None,
        }
    }
    Some(arguments)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let Arguments { seeds, start, config, .. } = arguments;
    let begun = std::time::Instant::now();
    let next = AtomicU64::new(start);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        #[cfg(feature = "bugs")]
        cluster_sim::bug::plant(arguments.bug);
        let mut table = Table::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= start + seeds {
                return table;
            }
            let report = run(seed, &config);
            if report.violation.is_some() {
                println!("{report}\n");
            }
            table.add(report);
        }
    };
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).for_each(|part| table.join(part));
    });
    println!("{table}");
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:<24}{seconds:>12.1}", "real seconds");
    for class in table.silent() {
        println!("never fired: {}", class.word());
    }
    ExitCode::from(u8::from(!table.failed.is_empty() || (seeds >= 50 && !table.is_good())))
}
