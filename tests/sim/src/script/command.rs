//! The commands of a script: one line each, words and `key=value` options; quotes keep spaces together.

use std::str::FromStr;
use std::time::Duration;

use cluster_types::{Availability, NodeState, Steer};

/// `key` and `value`.
pub(super) type Options = Vec<(String, String)>;

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `nodes 3`, `nodes 3 zone=a,b,c`: that many nodes join; of each label, each gets the next value.
    Nodes(usize, Options),
    /// `create web replicas=3 image=web:1`: a service; `options.rs` lists what may be said of it.
    Create(String, Options),
    /// `update web image=web:2`: the same words about a service that exists.
    Update(String, Options),
    /// `scale web 5`.
    Scale(String, u64),
    /// `rollback web`: back to the spec before.
    Rollback(String),
    /// `pause web`, `resume web`, `promote web`: of its update.
    Steer(String, Steer),
    /// `drain n1`, `activate n1`.
    Availability(String, Availability),
    /// `lose n1` (it is down), `return n1`.
    Node(String, NodeState),
    /// `fail web.2`: the container that runs in this slot ends with exit code 1.
    Fail(String, u64),
    /// `rebalance`: what `cluster rebalance` does.
    Rebalance,
    /// `tick`, `tick 3`: the managers decide, then each agent does one step; each takes a second.
    Tick(u64),
    /// `settle`: until nothing moves and no timer of the next hour runs.
    Settle,
    /// `wait 30s`: so much time.
    Wait(Duration),
    /// `ps web`: the tasks that it has.
    Tasks(String),
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words = words(line);
        let (plain, options): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| !word.contains('='));
        let options = || options.iter().filter_map(|word| word.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect();
        let plain: Vec<&str> = plain.into_iter().map(String::as_str).collect();
        Ok(match plain.as_slice() {
            ["nodes", count] => Self::Nodes(usize::try_from(number(count)?).map_err(|error| error.to_string())?, options()),
            ["create", name] => Self::Create((*name).into(), options()),
            ["update", name] => Self::Update((*name).into(), options()),
            ["scale", name, replicas] => Self::Scale((*name).into(), number(replicas)?),
            ["rollback", name] => Self::Rollback((*name).into()),
            ["pause", name] => Self::Steer((*name).into(), Steer::Pause),
            ["resume", name] => Self::Steer((*name).into(), Steer::Resume),
            ["promote", name] => Self::Steer((*name).into(), Steer::Promote),
            ["drain", node] => Self::Availability((*node).into(), Availability::Drain),
            ["activate", node] => Self::Availability((*node).into(), Availability::Active),
            ["lose", node] => Self::Node((*node).into(), NodeState::Down),
            ["return", node] => Self::Node((*node).into(), NodeState::Ready),
            ["fail", task] => {
                let (service, slot) = task.split_once('.').ok_or_else(|| format!("`{task}` is no task such as `web.2`"))?;
                Self::Fail(service.into(), number(slot)?)
            }
            ["rebalance"] => Self::Rebalance,
            ["tick"] => Self::Tick(1),
            ["tick", count] => Self::Tick(number(count)?),
            ["settle"] => Self::Settle,
            ["wait", time] => Self::Wait(duration(time)?),
            ["ps", name] => Self::Tasks((*name).into()),
            _ => return Err(format!("`{line}` is no command")),
        })
    }
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            letter => words.iter_mut().next_back().into_iter().for_each(|word| word.push(letter)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A whole number.
pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// A time such as `500ms`, `5s`, `2m` or `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let count = number(text.strip_suffix(unit).unwrap_or(text))?;
    match unit {
        "ms" => Ok(Duration::from_millis(count)),
        "s" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_secs(60 * count)),
        "h" => Ok(Duration::from_secs(3600 * count)),
        _ => Err(format!("`{text}` is no time such as `30s`")),
    }
}
