//! The bench measures, and leaves nothing.

use cluster_runtime::bench::{StartBench, start};

use super::fixture::Host;

#[expect(clippy::print_stderr, reason = "figures for whoever wants them")]
#[tokio::test(flavor = "multi_thread")]
async fn starts_are_measured_beside_other_runtimes() {
    let count = std::env::var("BENCH_CONTAINERS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let host = Host::new().await;
    let bench = StartBench {
        runtime: host.runtime().clone(),
        image: "busybox".to_owned(),
        command: vec!["/bin/true".to_owned()],
        containers: count,
        parallel: 4,
    };
    let mut measured = Vec::new();
    for figures in start(&bench).await.unwrap() {
        assert_eq!(figures.error, None, "{}", figures.runtime);
        assert!(figures.per_second > 0.0 && figures.cpu_ms > 0.0, "{figures:?}");
        measured.push(figures);
    }
    // Shown with --nocapture.
    eprintln!("{}", serde_json::to_string(&measured).unwrap());
    drop(bench);
    host.assert_clean();
}
