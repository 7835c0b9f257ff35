//! `cluster service logs`: lines of the containers of a service or task, from the hosts that have them.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use cluster_api::pb;
use futures::StreamExt;

use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::render::age;
use crate::render::plain::plain;
use crate::spec::value;

/// Flags of `service logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Service or task: a name such as web or web.3, or an id
    #[arg(value_name = "SERVICE")]
    reference: String,
    /// Go on with new lines
    #[arg(short, long)]
    follow: bool,
    /// Lines from the end of each task's log: a number or all
    #[arg(short = 'n', long, value_name = "N", value_parser = tail, default_value = "all")]
    tail: Tail,
    /// Only lines since then: a duration such as 10m, or a moment such as 2026-11-23T17:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Only the lines, without the task in front
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Clone, Copy)]
struct Tail(Option<u64>);

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail(None)),
        text => text.parse().map(|lines| Tail(Some(lines))).map_err(|_| format!("`{text}` is neither a number nor all")),
    }
}

impl Logs {
    /// Prints the lines as they come: those that a container wrote to stderr go to stderr.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let since_ms = self.since.as_deref().map(|text| since(text, age::now().0)).transpose().map_err(Failure::usage)?;
        let request = pb::LogsRequest { reference: self.reference.clone(), follow: self.follow, tail: self.tail.0, since_ms };
        let mut items = match client.control().logs(request).await {
            Ok(items) => items.into_inner(),
            Err(status) => return Err(client.suggest_service(&self.reference, status.into()).await),
        };
        let style = Style { timestamps: self.timestamps, raw: self.raw };
        let mut open = Open::default();
        while let Some(item) = items.next().await {
            match item?.item {
                Some(pb::logs_response::Item::Line(line)) => style.write(&line, &mut open)?,
                Some(pb::logs_response::Item::Notice(notice)) => print::words(&format!("! {}: {}", notice.node, notice.text)),
                None => {}
            }
        }
        Ok(())
    }
}

/// Milliseconds since the epoch of `--since`.
fn since(text: &str, now_ms: u64) -> Result<u64, String> {
    if let Ok(before) = value::duration(text) {
        return Ok(now_ms.saturating_sub(u64::try_from(Duration::as_millis(&before)).unwrap_or(u64::MAX)));
    }
    let moment: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("--since: `{text}` is neither a duration such as 10m nor a moment such as 2026-11-23T17:00:00Z"))?;
    Ok(u64::try_from(moment.as_millisecond()).unwrap_or(0))
}

/// The task whose line goes on in its next piece.
#[derive(Debug, Default)]
struct Open(Option<String>);

#[derive(Debug, Clone, Copy)]
struct Style {
    timestamps: bool,
    raw: bool,
}

impl Style {
    fn write(self, line: &pb::LogLine, open: &mut Open) -> Result<(), Failure> {
        if line.stderr {
            let mut stderr = std::io::stderr().lock();
            let terminal = stderr.is_terminal();
            stderr.write_all(&self.bytes(line, open, terminal)).map_err(print::broken)
        } else {
            let mut stdout = std::io::stdout().lock();
            let terminal = stdout.is_terminal();
            stdout.write_all(&self.bytes(line, open, terminal)).and_then(|()| stdout.flush()).map_err(print::broken)
        }
    }

    /// The bytes of a line. The rest of a line that came in pieces has nothing in front; another task's line ends it.
    fn bytes(self, line: &pb::LogLine, open: &mut Open, terminal: bool) -> Vec<u8> {
        let mut bytes = match open.0.take() {
            Some(task) if task == line.task => Vec::new(),
            Some(_) => format!("\n{}", self.front(line)).into_bytes(),
            None => self.front(line).into_bytes(),
        };
        open.0 = line.partial.then(|| line.task.clone());
        if terminal {
            bytes.extend_from_slice(plain(&String::from_utf8_lossy(&line.text)).as_bytes());
        } else {
            bytes.extend_from_slice(&line.text);
        }
        if !line.partial {
            bytes.push(b'\n');
        }
        bytes
    }

    fn front(self, line: &pb::LogLine) -> String {
        let at = if self.timestamps { format!("{} ", moment(line.at_ns)) } else { String::new() };
        if self.raw { at } else { format!("{at}{}@{} | ", plain(&line.task_name), plain(&line.node_hostname)) }
    }
}

/// RFC 3339 with all nine digits, so that the lines stay in columns.
fn moment(at_ns: u64) -> String {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(at_ns)).unwrap_or_default();
    format!("{moment:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, partial: bool) -> pb::LogLine {
        pb::LogLine {
            task_name: "web.1".into(),
            node_hostname: "n2".into(),
            at_ns: 1_764_000_000_000_000_012,
            text: text.as_bytes().to_vec(),
            partial,
            ..Default::default()
        }
    }

    fn shown(timestamps: bool, raw: bool, terminal: bool) -> String {
        let style = Style { timestamps, raw };
        let cut = pb::LogLine { task: "other".into(), ..line("cut", false) };
        let lines = [line("GET \u{1b}[2J/", false), line("a long ", true), line("line", false), line("open", true), cut];
        let mut open = Open::default();
        let bytes = lines.iter().flat_map(|line| style.bytes(line, &mut open, terminal)).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_have_their_task_in_front_and_no_escapes_on_a_terminal() {
        insta::assert_snapshot!(shown(false, false, true), @r"
        web.1@n2 | GET \x1b[2J/
        web.1@n2 | a long line
        web.1@n2 | open
        web.1@n2 | cut
        ");
        insta::assert_snapshot!(shown(true, false, true), @r"
        2025-11-24T16:00:00.000000012Z web.1@n2 | GET \x1b[2J/
        2025-11-24T16:00:00.000000012Z web.1@n2 | a long line
        2025-11-24T16:00:00.000000012Z web.1@n2 | open
        2025-11-24T16:00:00.000000012Z web.1@n2 | cut
        ");
        assert_eq!(shown(false, true, false), "GET \u{1b}[2J/\na long line\nopen\ncut\n");
    }

    #[test]
    fn since_is_a_duration_or_a_moment() {
        assert_eq!(since("10s", 60_000), Ok(50_000));
        assert_eq!(since("1970-01-01T00:00:05Z", 60_000), Ok(5_000));
        assert_eq!(since("2h", 60_000), Ok(0));
        assert!(since("yesterday", 0).is_err());
    }
}
