//! `wrk`, the usual load generator, beside our own counting client: as fast as it can, until it is told to stop.

use std::process::Child;

use serde_json::{Value, json};

use crate::Lab;

/// A running `wrk` on a host.
pub struct Wrk {
    child: Child,
    host: String,
    mark: String,
}

impl Wrk {
    /// Asks `address:port` from a host over 16 connections; `way` is `keep` or `new`.
    #[must_use]
    pub fn begin(lab: &Lab, from: &str, to: &str, way: &str) -> Self {
        let mark = format!("/run/wrk-{way}-{to}");
        let header = if way == "new" { "-H 'Connection: close'" } else { "" };
        let command = format!("echo $$ >{mark}; exec wrk -t1 -c16 -d600s --timeout 5s {header} http://{to}/");
        Self { child: lab.spawn_program(from, "sh", &["-c", &command]), host: from.to_owned(), mark }
    }

    /// Ends it; what it counted. `errors` is 0 when each request was answered, and well.
    #[must_use]
    pub fn ended(self, lab: &Lab) -> Value {
        lab.shell(&self.host, &format!("kill -INT $(cat {})", self.mark));
        let output = self.child.wait_with_output().expect("the end of wrk");
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

/// The figures of what `wrk` prints:
///
///   1234 requests in 5.00s, 1.23MB read
///   Socket errors: connect 0, read 1, write 0, timeout 2
///   Non-2xx or 3xx responses: 3
fn read(text: &str) -> Value {
    let after = |words: &str| text.lines().find_map(|line| line.trim().strip_prefix(words));
    let number = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u64>().expect("a number");
    let requests = text.lines().find_map(|line| line.split_once(" requests in ")).map(|(count, _)| number(count));
    let requests = requests.unwrap_or_else(|| panic!("wrk printed no figures: {text}"));
    let sockets = after("Socket errors:");
    json!({
        "requests": requests, "socket_errors": sockets.map_or(0, |words| words.split(',').map(number).sum()),
        "bad_answers": after("Non-2xx or 3xx responses:").map_or(0, number), "words": sockets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_read() {
        let text = "  1234 requests in 5.00s, 1.23MB read\n  Socket errors: connect 1, read 20, write 0, timeout 2\n  Non-2xx or 3xx responses: 3\n";
        let figures = read(text);
        assert_eq!((&figures["requests"], &figures["socket_errors"], &figures["bad_answers"]), (&json!(1234), &json!(23), &json!(3)));
        assert_eq!(read("  9 requests in 5.00s, 1.23MB read\n")["socket_errors"], 0);
    }
}
