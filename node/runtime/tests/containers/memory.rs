//! What a running container costs in memory beside its own program.

use cluster_runtime::Runtime as _;

use super::fixture::Host;

/// Proportional set size of a process, in KiB: shared pages count by their share.
fn pss(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

#[expect(clippy::print_stderr, reason = "figures for whoever wants them")]
#[tokio::test(flavor = "multi_thread")]
async fn helpers_share_their_memory() {
    let host = Host::new().await;
    let mut tasks = Vec::new();
    let mut figures = Vec::new();
    for count in [1, 20] {
        while tasks.len() < count {
            tasks.push(host.start("exec sleep 1000", |_| {}).await);
        }
        let (mut keepers, mut inits) = (0, 0);
        for task in &tasks {
            let observed = host.runtime().observe(*task).await.unwrap();
            keepers += pss(host.keeper(*task));
            inits += pss(i32::try_from(observed.container.pid.unwrap()).unwrap());
        }
        let of = count as u64;
        eprintln!("{count} containers: keeper {} KiB, init {} KiB each", keepers / of, inits / of);
        figures.push((keepers + inits) / of);
    }
    assert!(figures[1] < figures[0], "the helpers share nothing: {figures:?} KiB");
    for task in tasks {
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}
