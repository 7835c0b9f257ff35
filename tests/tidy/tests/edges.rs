//! Which crate may see which. A new edge is a decision: it is made here, in design order, and shows in review.

#![expect(clippy::expect_used, reason = "a check that cannot look has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crate to the crates of the project that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cluster-types", &[]),
    ("cluster-api", &["cluster-types"]),
    ("cluster-state", &["cluster-types"]),
    ("cluster-task", &["cluster-types"]),
    ("cluster-decide", &["cluster-types", "cluster-state"]),
    // Stands in for openraft's own.
    ("base2histogram", &[]),
    ("cluster-raft", &["cluster-types", "cluster-api", "cluster-state"]),
    ("cluster-manager", &["cluster-types", "cluster-api", "cluster-state", "cluster-decide", "cluster-raft"]),
    ("cluster-image", &["cluster-types"]),
    ("cluster-network", &["cluster-types"]),
    ("cluster-runtime", &["cluster-types", "cluster-image", "cluster-network"]),
    ("cluster-agent", &["cluster-types", "cluster-api", "cluster-task", "cluster-runtime"]),
    (
        "cluster-daemon",
        &[
            "cluster-types",
            "cluster-api",
            "cluster-raft",
            "cluster-manager",
            "cluster-image",
            "cluster-network",
            "cluster-runtime",
            "cluster-agent",
        ],
    ),
    (
        "cluster",
        &[
            "cluster-types",
            "cluster-api",
            "cluster-state",
            "cluster-decide",
            "cluster-raft",
            "cluster-manager",
            "cluster-image",
            "cluster-network",
            "cluster-runtime",
            "cluster-agent",
            "cluster-daemon",
        ],
    ),
    ("cluster-tidy", &[]),
    ("cluster-lab", &[]),
    ("cluster-cli-tests", &[]),
    ("cluster-seeds", &["cluster-types"]),
    // Only what is pure: a simulated cluster needs no more.
    ("cluster-sim", &["cluster-seeds", "cluster-types", "cluster-state", "cluster-decide", "cluster-task"]),
    // The Raft group alone: the first simulation must not wait for openraft to be built.
    ("cluster-sim-raft", &["cluster-seeds", "cluster-types", "cluster-state", "cluster-raft"]),
];

/// Decide, but never act: these reach no clock, disk, network or runtime, not even through a library.
const PURE: [&str; 4] = ["cluster-types", "cluster-state", "cluster-decide", "cluster-task"];
const IMPURE_LIBRARIES: [&str; 9] = ["tokio", "tonic", "openraft", "rand", "rustix", "nix", "libc", "tracing", "futures"];

/// Crate to its dependencies, build and development ones left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(cluster_tidy::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let normal = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().cloned().unwrap_or_default();
        all.iter().filter(|dependency| dependency["kind"].is_null()).map(|dependency| text(&dependency["name"])).collect()
    };
    metadata["packages"].as_array().expect("packages").iter().map(|package| (text(&package["name"]), normal(package))).collect()
}

#[test]
fn crates_see_only_what_is_below_them() {
    let dependencies = dependencies();
    let known: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    for (name, found) in &dependencies {
        let allowed = known.get(name.as_str()).unwrap_or_else(|| panic!("{name} is a new crate: give it its place in edges.rs"));
        for dependency in found.iter().filter(|dependency| dependencies.contains_key(*dependency)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not see {dependency}");
        }
    }
}

#[test]
fn pure_crates_reach_nothing() {
    let dependencies = dependencies();
    for name in PURE {
        for library in IMPURE_LIBRARIES {
            assert!(!dependencies[name].contains(library), "{name} is pure and must not see {library}");
        }
    }
}
