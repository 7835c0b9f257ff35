//! What is said when the command line cannot be understood: clap's words, except that commands are suggested across levels.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use crate::suggest;

/// Prints help, the version or the error, and gives the exit code.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::InvalidSubcommand => crate::report(&unknown_command()),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away wants no help any more.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::UnknownArgument if first_word_is_unknown() => crate::report(&unknown_command()),
        _ => {
            let _ = error.print();
            ExitCode::from(Exit::Usage as u8)
        }
    }
}

fn unknown_command() -> Failure {
    suggest::command(&Arguments::command(), &words())
}

/// The words of the command line that are neither flags nor the value of `-H` or `--identity`.
fn words() -> Vec<String> {
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-H" | "--host" | "--identity" => drop(arguments.next()),
            flag if flag.starts_with('-') => {}
            _ => words.push(argument),
        }
    }
    words
}

fn first_word_is_unknown() -> bool {
    words().first().is_some_and(|word| Arguments::command().find_subcommand(word).is_none())
}
