//! Writing: data to stdout, words to stderr. A reader that went away (`| head`) ends the program without a word.

use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::render::plain::plain;

/// Data.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(broken)
}

/// What a write to stdout that failed means: a closed pipe is no error.
pub(crate) fn broken(error: std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        Failure::usage(String::new()).exit(Exit::Done)
    } else {
        Failure::new("E0902", format!("the output cannot be written: {error}"))
    }
}

/// Lines for people, made safe.
pub(crate) fn words(text: &str) {
    text.lines().for_each(|line| raw_words(&plain(line)));
}

/// A line for people that is safe already.
pub(crate) fn raw_words(line: &str) {
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
