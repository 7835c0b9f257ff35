//! The command of a simulator: lives many seeds, and prints what came of them. The exit code is 1 when anything did not hold.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use crate::many::many;
use crate::{Config, Report, Simulator};

/// So many seeds must have seen every class of faults.
const ALL_FIRE: u64 = 50;

#[derive(Default)]
struct Arguments {
    seeds: u64,
    start: u64,
    config: Config,
    /// Lives each seed twice and compares.
    twice: bool,
    #[cfg(feature = "bugs")]
    bug: Option<cluster_types::bug::Bug>,
}

impl Simulator {
    /// Does what the command line says.
    #[must_use]
    pub fn command(&self) -> ExitCode {
        let Some(arguments) = self.arguments(std::env::args().skip(1)) else {
            eprintln!("usage: {} {}", self.name, self.usage);
            return ExitCode::from(2);
        };
        let begun = Instant::now();
        let table = many(arguments.start..arguments.start + arguments.seeds, |seed| self.show(seed, &arguments));
        println!("{table}");
        println!("{:<24}{:>12.1}", "real seconds", begun.elapsed().as_secs_f64());
        let silent = table.silent();
        silent.iter().for_each(|word| println!("never fired: {word}"));
        ExitCode::from(u8::from(!table.failed.is_empty() || (arguments.seeds >= ALL_FIRE && !silent.is_empty())))
    }

    fn arguments(&self, mut words: impl Iterator<Item = String>) -> Option<Arguments> {
        let config = Config { seconds: self.seconds, aloud: false };
        let mut arguments = Arguments { seeds: 100, start: 1, config, ..Arguments::default() };
        while let Some(word) = words.next() {
            let mut number = || words.next()?.parse::<u64>().ok();
            match word.as_str() {
                word if !self.takes(word) => return None,
                "--seeds" => arguments.seeds = number()?,
                "--start" => arguments.start = number()?,
                "--minutes" => arguments.config.seconds = number()? * 60,
                "--seconds" => arguments.config.seconds = number()?,
                "--trace" => arguments.config.aloud = true,
                "--twice" => arguments.twice = true,
                #[cfg(feature = "bugs")]
                "--bug" => arguments.bug = Some(crate::hunt::bug(&words.next()?)?),
                _ => return None,
            }
        }
        Some(arguments)
    }

    /// Only what the usage names: each simulator has options that another has not.
    fn takes(&self, word: &str) -> bool {
        self.usage.split(['[', ']', ' ']).any(|known| known == word)
    }

    /// Lives a seed, and says at once what did not hold, or when a second life differs.
    fn show(&self, seed: u64, arguments: &Arguments) -> Report {
        #[cfg(feature = "bugs")]
        cluster_types::bug::plant(arguments.bug);
        let live = || (self.run)(seed, arguments.config);
        let report = live();
        if arguments.twice && live().trace.hash() != report.trace.hash() {
            println!("seed {seed} has another trace the second time");
        }
        if report.violation.is_some() {
            println!("{report}\n");
        }
        report
    }
}
