//! Limits that the kernel holds a container to.

use cluster_runtime::Runtime as _;
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

#[tokio::test(flavor = "multi_thread")]
async fn granted_resources_are_named_and_their_devices_can_be_used() {
    let host = Host::new().await;
    // A device that no container has by itself; reading it gives nothing, and is refused where it is not granted.
    let device = ["/dev/loop-control", "/dev/fuse", "/dev/net/tun"].into_iter().find(|path| std::path::Path::new(path).exists());
    let Some(device) = device else { return };
    let script = format!("env | grep RESOURCE | sort; [ -c {device} ] && (: < {device}) && echo opened");
    let mut config = host.config_of(&script, |_| {});
    config.generic = [("gpu".to_owned(), vec![device.to_owned()]), ("slot".to_owned(), vec!["1".to_owned(), "2".to_owned()])].into();
    host.runtime().prepare(&config).await.unwrap();
    host.runtime().start(config.task).await.unwrap();
    host.ended(config.task).await;
    let expected = format!(
        "CLUSTER_RESOURCE_GPU={device}\nCLUSTER_RESOURCE_SLOT=1,2\nDOCKER_RESOURCE_GPU={device}\nDOCKER_RESOURCE_SLOT=1,2\nopened\n"
    );
    assert_eq!(host.output(config.task).await, expected);
    host.runtime().remove(config.task).await.unwrap();
    let (text, _) = host.run(&script, |_| {}).await;
    assert_eq!(text, "");
    let mut missing = host.config_of("true", |_| {});
    missing.generic = [("gpu".to_owned(), vec!["vendor.com/gpu=9".to_owned()])].into();
    let error = host.runtime().prepare(&missing).await.unwrap_err().to_string();
    assert!(error.contains("no CDI device vendor.com/gpu=9"), "{error}");
    host.assert_clean();
}
