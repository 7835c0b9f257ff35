//! Reads the `Healthcheck` section of an image's configuration, as docker writes it. Called when a container is made of the image.

use std::time::Duration;

use cluster_types::{HealthSpec, HealthTest};
use serde::Deserialize;
use serde_json::Value;

/// Docker leaves out what is not set, or writes 0.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Section {
    #[serde(default)]
    test: Option<Vec<String>>,
    /// Nanoseconds, like all durations here.
    #[serde(default)]
    interval: i64,
    #[serde(default)]
    timeout: i64,
    #[serde(default)]
    start_period: i64,
    #[serde(default)]
    start_interval: i64,
    #[serde(default)]
    retries: i64,
}

/// The check of a section; none when it cannot be read: an image's mistake does not keep it from running.
pub(crate) fn read(section: &Value) -> Option<HealthSpec> {
    let section = Section::deserialize(section).ok()?;
    let time = |nanos: i64| u64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos);
    Some(HealthSpec {
        test: test(section.test.unwrap_or_default())?,
        interval: time(section.interval),
        timeout: time(section.timeout),
        retries: u32::try_from(section.retries).ok().filter(|retries| *retries > 0),
        start_period: time(section.start_period),
        start_interval: time(section.start_interval),
    })
}

fn test(words: Vec<String>) -> Option<HealthTest> {
    let mut words = words.into_iter();
    let Some(kind) = words.next() else { return Some(HealthTest::Inherit) };
    match (kind.as_str(), words.collect::<Vec<_>>()) {
        ("NONE", _) => Some(HealthTest::None),
        ("CMD", command) if !command.is_empty() => Some(HealthTest::Cmd(command)),
        ("CMD-SHELL", line) if !line.is_empty() => Some(HealthTest::CmdShell(line.join(" "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn dockers_forms_are_read() {
        let full = json!({"Test": ["CMD", "/probe", "-q"], "Interval": 2_000_000_000_i64, "Timeout": 500_000_000, "Retries": 4,
                          "StartPeriod": 1_000_000_000, "StartInterval": 0});
        let read_full = read(&full).unwrap();
        assert_eq!(read_full.test, HealthTest::Cmd(vec!["/probe".to_owned(), "-q".to_owned()]));
        assert_eq!((read_full.interval, read_full.timeout), (Some(Duration::from_secs(2)), Some(Duration::from_millis(500))));
        assert_eq!((read_full.retries, read_full.start_period, read_full.start_interval), (Some(4), Some(Duration::from_secs(1)), None));
        let test = |value| read(&json!({ "Test": value })).map(|spec| spec.test);
        assert_eq!(
            test(json!(["CMD-SHELL", "curl -f localhost || exit 1"])),
            Some(HealthTest::CmdShell("curl -f localhost || exit 1".into()))
        );
        assert_eq!(
            (test(json!(["NONE"])), test(json!([])), test(json!(null))),
            (Some(HealthTest::None), Some(HealthTest::Inherit), Some(HealthTest::Inherit))
        );
    }

    #[test]
    fn nonsense_is_no_check() {
        for section in
            [json!("x"), json!({"Test": ["CMD"]}), json!({"Test": ["WHAT", "x"]}), json!({"Test": "x"}), json!({"Interval": "5s"})]
        {
            assert_eq!(read(&section), None, "{section}");
        }
        assert_eq!(read(&json!({"Interval": -1, "Retries": -3})), Some(HealthSpec::default()));
    }

    proptest! {
        #[test]
        fn reading_never_panics(words: Vec<String>, nanos: i64, retries: i64) {
            let _ = read(&json!({"Test": words, "Interval": nanos, "Timeout": nanos, "Retries": retries, "StartPeriod": nanos}));
        }
    }
}
