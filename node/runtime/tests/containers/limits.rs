//! Limits that the kernel holds a container to.

use cluster_types::{Limits, Ulimit};

use super::fixture::Host;

const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_ends_it_and_says_so() {
    let host = Host::new().await;
    // /dev/shm counts as memory of the container.
    let limits = Limits { memory: 32 * MIB, ..Limits::default() };
    let (_, ended) = host.run("exec dd if=/dev/zero of=/dev/shm/x bs=1M count=60", |spec| spec.limits = limits).await;
    assert_eq!(ended.container.exit_code, Some(137), "{ended:?}");
    assert!(ended.container.oom_killed, "{ended:?}");
    assert!(ended.error.unwrap().starts_with("OOMKilled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_counted() {
    let host = Host::new().await;
    let script = "i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done; echo all";
    let (text, ended) = host.run(script, |spec| spec.limits = Limits { pids: 10, ..Limits::default() }).await;
    assert!(text.contains("can't fork") && !text.contains("all"), "{text}");
    assert_ne!(ended.container.exit_code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_seen_from_inside_and_cannot_be_changed_there() {
    let host = Host::new().await;
    let limits = Limits { memory: 64 * MIB, nano_cpus: 500_000_000, pids: 50 };
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max 2>/dev/null \
                  || cat memory.max cpu.max pids.max; echo 1 2>/dev/null > pids/pids.max || echo kept; \
                  touch /sys/fs/cgroup/x 2>/dev/null || echo refused";
    let (text, _) = host.run(script, |spec| spec.limits = limits).await;
    let v1 = "67108864\n50000\n50\nkept\nrefused\n";
    let v2 = "67108864\n50000 100000\n50\nkept\nrefused\n";
    assert!(text == v1 || text == v2, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn process_limits_and_kernel_parameters_are_set() {
    let host = Host::new().await;
    let script = "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni";
    let (text, _) = host
        .run(script, |spec| {
            spec.container.ulimits = vec![Ulimit { name: "nofile".to_owned(), soft: 1000, hard: 2000 }];
            spec.container.sysctls.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "77".to_owned());
            spec.container.sysctls.insert("kernel.shmmni".to_owned(), "99".to_owned());
        })
        .await;
    assert_eq!(text, "1000\n2000\n77\n99\n");
}
