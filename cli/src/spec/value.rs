//! Readers of single values: durations, CPUs, sizes, pairs, limits of the process. Each error says how it should be written.

use std::time::Duration;

use cluster_types::{Constraint, RestartCondition, Ulimit, UpdateOrder};

/// `10s`, `1m30s`, `500ms`, `1.5h`; a bare `0` too. Docker's units only: months and years are nobody's restart delay.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || format!("`{text}` is not a duration: write it like 500ms, 10s, 1m30s or 2h");
    let mut rest = text;
    let mut nanoseconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        nanoseconds += number.parse::<f64>().map_err(|_| wrong())? * unit_nanoseconds(unit).ok_or_else(wrong)?;
        rest = tail;
    }
    let whole = !text.is_empty() && nanoseconds.is_finite();
    whole.then(|| Duration::try_from_secs_f64(nanoseconds / 1e9).ok()).flatten().ok_or_else(wrong)
}

fn unit_nanoseconds(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1.0),
        "us" | "µs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        "m" => Some(60e9),
        "h" => Some(3_600e9),
        _ => None,
    }
}

/// Billionths of a CPU from `.5`, `2` or `0.25`.
pub(crate) fn cpus(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a number of CPUs: write it like .5 or 2");
    let value: f64 = text.parse().map_err(|_| wrong())?;
    if !value.is_finite() || !(0.0..=1e6).contains(&value) {
        return Err(wrong());
    }
    // At most 10^15: exact in an f64, and it fits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be between 0 and 10^15")]
    let nano = (value * 1e9).round() as u64;
    Ok(nano)
}

/// Bytes from `512M` and the like.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    cluster_types::bytes::parse_bytes(text)
}

/// `KEY=VALUE`; a key alone has the empty value.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.trim().is_empty() { Err(format!("`{text}` has no key: write KEY=VALUE")) } else { Ok((key.trim().to_owned(), value.to_owned())) }
}

/// `NAME=SOFT[:HARD]`; -1 and `unlimited` are no limit.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let wrong = || format!("`{text}` is not a limit: write it like nofile=1024 or nofile=1024:4096");
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        text => text.parse::<u64>().map_err(|_| wrong()),
    };
    let (name, values) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok(Ulimit { name: name.to_ascii_lowercase(), soft: number(soft)?, hard: number(hard)? })
}

/// A line of `/etc/hosts` from `NAME:ADDRESS` or `NAME=ADDRESS`.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not a host entry: write NAME:ADDRESS");
    let (name, address) = text.split_once(['=', ':']).ok_or_else(wrong)?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() || address.parse::<std::net::IpAddr>().is_err() { Err(wrong()) } else { Ok(format!("{name}:{address}")) }
}

/// A capability without `CAP_`, in capitals.
pub(crate) fn capability(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if word { Ok(name.to_owned()) } else { Err(format!("`{text}` is not a capability: write it like NET_ADMIN")) }
}

/// A placement constraint.
pub(crate) fn constraint(text: &str) -> Result<Constraint, String> {
    text.parse().map_err(|error: cluster_types::constraint::InvalidConstraint| error.to_string())
}

/// When a task gets a successor.
pub(crate) fn restart_condition(text: &str) -> Result<RestartCondition, String> {
    match text {
        "any" => Ok(RestartCondition::Any),
        "on-failure" => Ok(RestartCondition::OnFailure),
        "none" => Ok(RestartCondition::None),
        other => Err(format!("`{other}` is no restart condition: use none, on-failure or any")),
    }
}

/// In which order an update replaces a task.
pub(crate) fn update_order(text: &str) -> Result<UpdateOrder, String> {
    match text {
        "stop-first" => Ok(UpdateOrder::StopFirst),
        "start-first" => Ok(UpdateOrder::StartFirst),
        other => Err(format!("`{other}` is no update order: use stop-first or start-first")),
    }
}
