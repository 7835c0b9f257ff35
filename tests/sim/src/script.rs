//! Stories of a cluster as text: commands and, below each, what follows from it. For people who want to see what the deciders do, and try
//! something else: no faults, no chance, and nothing but the real state, the real passes and agents that do what they are told at once.
//!
//! `tests/scripts.rs` plays the files of `scripts/` and compares. A line that begins with `> ` is a command (`script/command.rs` lists
//! them), what follows up to the next command or empty line is its outcome, a line that begins with `#` is for the reader.

mod agents;
mod command;
mod obey;
mod options;
mod picture;
mod stage;

use self::command::Command;
use self::stage::Stage;

/// Plays a script and gives it back with the outcome of each command as it is now: the same text when all of it still holds.
///
/// # Errors
///
/// A line that is no command, or a cluster that never settles.
pub fn play(script: &str) -> Result<String, String> {
    let mut stage = Stage::new();
    let mut lines: Vec<String> = Vec::new();
    let mut is_outcome = false;
    for (number, line) in (1..).zip(script.lines()) {
        if let Some(words) = line.strip_prefix("> ") {
            lines.push(line.to_owned());
            let outcome = words.parse::<Command>().and_then(|command| obey::obey(&mut stage, command));
            lines.extend(outcome.map_err(|error| format!("line {number}: {error}"))?);
            is_outcome = true;
        } else if line.trim().is_empty() || line.starts_with('#') {
            lines.push(line.to_owned());
            is_outcome = false;
        } else if !is_outcome {
            return Err(format!("line {number}: neither a command (`> tick`), nor below one, nor a remark (`# …`)"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests;
