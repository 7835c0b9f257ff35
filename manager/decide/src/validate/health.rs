//! Health and readiness checks: a program that can be run, and times that make sense.

use std::time::Duration;

use cluster_types::{ContainerSpec, HealthSpec, HealthTest};

use super::words;
use super::{Problems, duration};

/// Shortest interval and timeout. Docker: 1 ms, which nothing can keep.
const SHORTEST: Duration = Duration::from_millis(10);
/// Most failures in a row that can be asked for.
const RETRIES: u32 = 1_000;

pub(super) fn check(problems: &mut Problems, container: &ContainerSpec) {
    problems.within("health", |problems| spec(problems, &container.health));
    if let Some(readiness) = &container.readiness {
        problems.within("readiness", |problems| {
            spec(problems, readiness);
            if matches!(readiness.test, HealthTest::Inherit | HealthTest::None) {
                problems.add("test", "names no program: images know health checks only");
            }
        });
    }
}

fn spec(problems: &mut Problems, spec: &HealthSpec) {
    match &spec.test {
        HealthTest::Inherit | HealthTest::None => {}
        HealthTest::Cmd(command) if command.first().is_none_or(String::is_empty) => problems.add("test", "names no program"),
        HealthTest::CmdShell(line) if line.trim().is_empty() => problems.add("test", "is an empty line: give a command, or no check"),
        HealthTest::Cmd(words) if words.iter().any(|word| words::has_nul(word)) => problems.add("test", NUL),
        HealthTest::CmdShell(line) if words::has_nul(line) => problems.add("test", NUL),
        HealthTest::Cmd(_) | HealthTest::CmdShell(_) => {}
    }
    let times = [
        ("interval", spec.interval),
        ("timeout", spec.timeout),
        ("start_period", spec.start_period),
        ("start_interval", spec.start_interval),
    ];
    for (field, time) in times.into_iter().filter_map(|(field, time)| Some((field, time?))) {
        duration(problems, field, time);
        if !time.is_zero() && time < SHORTEST {
            problems.add(field, format!("is too short: at least {} ms, or 0 for the default", SHORTEST.as_millis()));
        }
    }
    if spec.retries.is_some_and(|retries| retries > RETRIES) {
        problems.add("retries", format!("are too many: at most {RETRIES}, or 0 for the default"));
    }
}

const NUL: &str = "has a NUL character in it, which ends a text for the kernel";

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(container: &ContainerSpec) -> Vec<String> {
        let mut problems = Problems::default();
        check(&mut problems, container);
        problems.list.iter().map(ToString::to_string).collect()
    }

    fn shell(line: &str) -> HealthSpec {
        HealthSpec { test: HealthTest::CmdShell(line.to_owned()), ..HealthSpec::default() }
    }

    #[test]
    fn sound_checks_pass() {
        let health = HealthSpec { interval: Some(Duration::from_millis(10)), timeout: Some(Duration::ZERO), ..shell("true") };
        assert_eq!(problems(&ContainerSpec { health, readiness: Some(shell("true")), ..ContainerSpec::default() }), [] as [&str; 0]);
    }

    #[test]
    fn each_problem_names_its_field() {
        let health = HealthSpec { test: HealthTest::Cmd(Vec::new()), interval: Some(Duration::from_millis(1)), ..HealthSpec::default() };
        let readiness = Some(HealthSpec { retries: Some(1_001), ..HealthSpec::default() });
        let found = problems(&ContainerSpec { health, readiness, ..ContainerSpec::default() });
        let fields: Vec<_> = found.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(fields, ["health.test", "health.interval", "readiness.retries", "readiness.test"]);
        assert!(
            problems(&ContainerSpec { health: shell(" "), ..ContainerSpec::default() })[0].starts_with("health.test: is an empty line")
        );
        assert_eq!(problems(&ContainerSpec { health: shell("a\0b"), ..ContainerSpec::default() }).len(), 1);
    }
}
