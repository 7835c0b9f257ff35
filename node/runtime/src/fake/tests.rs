//! The suite of every runtime, on the fake.

use std::sync::Arc;

use super::*;
use crate::conformance::{SuiteImages, conformance};

fn image(name: &str, args: &[&str]) -> ContainerSpec {
    ContainerSpec { image: name.to_owned(), args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..ContainerSpec::default() }
}

#[tokio::test]
async fn the_fake_passes_the_suite_of_every_runtime() {
    let images = SuiteImages {
        sleeper: image("fake/sleep", &[]),
        exits: image("fake/exit-7:latest", &[]),
        talker: image("fake/talk", &["one", "two", "!three"]),
        stubborn: image("fake/stubborn", &[]),
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
        missing: sleeper,
    };
    let runtime: Arc<dyn Runtime> = Arc::new(FakeRuntime::new());
    let failed = conformance(&runtime, &images).await.unwrap_err();
    assert!(failed.contains("code 7, not Some(8)"), "{failed}");
}
