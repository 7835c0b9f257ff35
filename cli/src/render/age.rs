//! How long ago, in docker's words, and moments as RFC 3339.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_types::Timestamp;

/// The clock, read once for each thing that is printed.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `5 seconds`, `About a minute`, `3 days`: the steps of docker.
pub(crate) fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1_800) / 3_600);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (.., 0 | 1) => "About an hour".to_owned(),
        (.., 2..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{} days", hours / 24),
        (.., 336..1_440) => format!("{} weeks", hours / 168),
        (.., 1_440..17_520) => format!("{} months", hours / 720),
        _ => format!("{} years", hours / 8_760),
    }
}

/// `5 seconds ago`; nothing for a moment that is not known.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    if at == Timestamp::default() { String::new() } else { format!("{} ago", words(now.since(at))) }
}

/// `2026-11-23T17:00:00.123Z`; the epoch for moments beyond what dates can say.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let moment = i64::try_from(at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    moment.unwrap_or_default().to_string()
}

/// `1.2 s`, `45 s`, `2 m 5 s`: how long something took.
pub(crate) fn took(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} m {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_dockers_words() {
        for (seconds, expected) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (120, "2 minutes"),
            (3_600, "About an hour"),
            (7_200, "2 hours"),
            (86_400 * 3, "3 days"),
            (86_400 * 20, "2 weeks"),
            (86_400 * 100, "3 months"),
            (86_400 * 800, "2 years"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(rfc3339(Timestamp(1_764_000_000_123)), "2025-11-24T16:00:00.123Z");
        assert_eq!(took(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(took(Duration::from_secs(125)), "2 m 5 s");
    }
}
