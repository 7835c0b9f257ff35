//! The suite of every runtime, on the fake.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{HealthSpec, HealthTest};

use super::*;
use crate::conformance::{SuiteImages, conformance};

fn image(name: &str, args: &[&str]) -> ContainerSpec {
    ContainerSpec { image: name.to_owned(), args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..ContainerSpec::default() }
}

/// With a check that is never really run.
fn checked(name: &str) -> ContainerSpec {
    let check =
        HealthSpec { test: HealthTest::Cmd(vec!["/probe".to_owned()]), timeout: Some(Duration::from_millis(10)), ..HealthSpec::default() };
    ContainerSpec { health: check.clone(), readiness: (name == "fake/hanging").then_some(check), ..image(name, &[]) }
}

#[tokio::test]
async fn the_fake_passes_the_suite_of_every_runtime() {
    let images = SuiteImages {
        sleeper: image("fake/sleep", &[]),
        exits: image("fake/exit-7:latest", &[]),
        talker: image("fake/talk", &["one", "two", "!three"]),
        stubborn: image("fake/stubborn", &[]),
        unhealthy: checked("fake/unhealthy"),
        hanging: checked("fake/hanging"),
        missing: image("fake/missing", &[]),
    };
    let runtime: Arc<dyn Runtime> = Arc::new(FakeRuntime::new());
    conformance(&runtime, &images).await.unwrap();
}

#[tokio::test]
async fn the_suite_fails_where_a_runtime_does_not_hold() {
    let sleeper = image("fake/sleep", &[]);
    let images = SuiteImages {
        sleeper: sleeper.clone(),
        exits: image("fake/exit-8", &[]),
        talker: sleeper.clone(),
        stubborn: sleeper.clone(),
        unhealthy: sleeper.clone(),
        hanging: sleeper.clone(),
        missing: sleeper,
    };
    let runtime: Arc<dyn Runtime> = Arc::new(FakeRuntime::new());
    let failed = conformance(&runtime, &images).await.unwrap_err();
    assert!(failed.contains("code 7, not Some(8)"), "{failed}");
}
