//! What a container sees of the host, and what it may do.

use cluster_types::{Mount, MountKind, NetworkMode};

use super::fixture::Host;

const STATUS: &str = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/self/status";

fn fields(text: &str) -> std::collections::BTreeMap<String, String> {
    let split =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")));
    text.lines().filter_map(split).collect()
}

/// Docker's default set, as runc shows it: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
/// sys_chroot, mknod, audit_write, setfcap.
const DEFAULT_CAPABILITIES: &str = "00000000a80425fb";

#[tokio::test(flavor = "multi_thread")]
async fn root_has_dockers_capabilities_and_filter() {
    let host = Host::new().await;
    for init in [true, false] {
        let (text, _) = host.run(STATUS, |spec| spec.container.init = init).await;
        let seen = fields(&text);
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(seen[set], DEFAULT_CAPABILITIES, "{set}");
        }
        assert_eq!((seen["CapInh"].as_str(), seen["CapAmb"].as_str()), ("0000000000000000", "0000000000000000"));
        assert_eq!((seen["NoNewPrivs"].as_str(), seen["Seccomp"].as_str()), ("0", "2"));
        assert_eq!(seen["Uid"], "0 0 0 0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_its_groups_and_no_capability() {
    let host = Host::new().await;
    let (text, _) = host
        .run(&format!("{STATUS}; echo home $HOME; id -u"), |spec| {
            spec.container.user = Some("shop".to_owned());
            spec.container.groups = vec!["video".to_owned(), "77".to_owned()];
            spec.container.no_new_privileges = true;
        })
        .await;
    let seen = fields(&text);
    assert_eq!((seen["Uid"].as_str(), seen["Gid"].as_str()), ("1000 1000 1000 1000", "1001 1001 1001 1001"));
    assert_eq!(seen["Groups"], "29 44 77");
    assert_eq!((seen["CapEff"].as_str(), seen["CapPrm"].as_str()), ("0000000000000000", "0000000000000000"));
    assert_eq!(seen["CapBnd"], DEFAULT_CAPABILITIES);
    assert_eq!((seen["NoNewPrivs"].as_str(), seen["Seccomp"].as_str()), ("1", "2"));
    assert!(text.ends_with("home /home/shop\n1000\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_are_added_and_dropped() {
    let host = Host::new().await;
    let (text, _) = host
        .run(STATUS, |spec| {
            spec.container.cap_drop = vec!["ALL".to_owned()];
            spec.container.cap_add = vec!["NET_ADMIN".to_owned(), "CAP_CHOWN".to_owned()];
        })
        .await;
    assert_eq!(fields(&text)["CapBnd"], "0000000000001001");
}

#[tokio::test(flavor = "multi_thread")]
async fn mounting_is_refused_by_the_filter_and_allowed_with_the_capability() {
    let host = Host::new().await;
    let script = "mount -t tmpfs none /tmp && echo mounted";
    let (text, _) = host.run(script, |_| {}).await;
    assert!(text.contains("permitted") || text.contains("denied"), "{text}");
    let (text, _) = host.run(script, |spec| spec.container.cap_add = vec!["SYS_ADMIN".to_owned()]).await;
    assert_eq!(text, "mounted\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_stays_out_of_sight() {
    let host = Host::new().await;
    let script = "ls /proc/self/fd | wc -l; cat /proc/timer_list | wc -c; ls /sys/firmware | wc -l; echo x 2>/dev/null > /proc/sys/kernel/panic || echo ro; \
                  touch /sys/x 2>/dev/null || echo ro; ls /dev | sort | grep -v core | tr '\\n' ' '; echo; cat /proc/1/cgroup | grep -c cluster-";
    let (text, _) = host.run(script, |_| {}).await;
    // 0, 1, 2 and the directory itself.
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("4"), "{text}");
    assert_eq!([lines.next(), lines.next(), lines.next(), lines.next()], [Some("0"), Some("0"), Some("ro"), Some("ro")], "{text}");
    assert_eq!(lines.next().map(str::trim), Some("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"));
    assert_eq!(lines.next(), Some("0"), "the container's own group is the root that it sees: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_sees_what_it_sees_in_runc() {
    let host = Host::new().await;
    let script = format!(
        "{STATUS}; ls -l /dev | tr -s ' ' | cut -d' ' -f1-6,10 | grep -v core; \
         for p in /proc/keys /proc/timer_list /proc/sysrq-trigger /sys/firmware /sys/fs/cgroup/memory; do stat -c '%n %F %a' $p 2>/dev/null; done; \
         echo x 2>/dev/null > /proc/sys/kernel/panic || echo ro; touch /sys/fs/cgroup/x 2>/dev/null || echo ro; \
         mount -t tmpfs none /tmp 2>/dev/null || echo refused; ls /proc/self/fd | wc -l; cat /proc/self/oom_score_adj; \
         grep -E ' (/|/proc|/sys|/dev|/dev/pts|/dev/shm|/dev/mqueue|/etc/hosts|/proc/sys|/sys/fs/cgroup/memory) ' /proc/self/mountinfo | cut -d' ' -f5,6 | sort"
    );
    let bench = cluster_runtime::bench::StartBench {
        runtime: host.runtime().clone(),
        image: "busybox".to_owned(),
        command: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        containers: 1,
        parallel: 1,
    };
    let Some(theirs) = cluster_runtime::bench::other(&bench, "runc", host.dir.path()).await.unwrap() else {
        return; // Debian's CI machine has it; another may not.
    };
    let (ours, _) = host.run(&script, |spec| spec.container.init = false).await;
    assert_eq!(ours, theirs, "ours first, then runc's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_behind_pid_1_cannot_be_written() {
    let host = Host::new().await;
    let script = "echo x 2>/dev/null >> /proc/1/exe && echo written || echo refused";
    let (text, _) = host.run(script, |spec| spec.container.cap_add = vec!["SYS_PTRACE".to_owned(), "DAC_READ_SEARCH".to_owned()]).await;
    assert_eq!(text, "refused\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_mounts_are_as_asked() {
    let host = Host::new().await;
    let source = host.dir.path().join("data");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("in"), "from the host").unwrap();
    let bind = |target: &str, read_only| Mount {
        kind: MountKind::Bind { source: source.display().to_string() },
        target: target.to_owned(),
        read_only,
    };
    let tmpfs =
        Mount { kind: MountKind::Tmpfs { size: Some(1 << 20), mode: Some(0o700) }, target: "/run/cache".to_owned(), read_only: false };
    let script = "cat /data/in; echo; echo back > /data/out; touch /fixed/x 2>/dev/null || echo fixed; touch /x 2>/dev/null || echo readonly; \
                  touch /run/cache/x && stat -c %a /run/cache; hostname; cat /etc/hostname; grep shop.db /etc/hosts; cat /etc/resolv.conf; pwd; echo $A $B";
    let (text, _) = host
        .run(script, |spec| {
            let container = &mut spec.container;
            container.mounts = vec![bind("/data", false), bind("/fixed", true), tmpfs];
            container.read_only = true;
            container.hostname = Some("till".to_owned());
            container.hosts = vec!["shop.db:10.1.2.3".to_owned()];
            container.dns = vec!["192.0.2.1".to_owned()];
            container.dir = Some("/work/deep".to_owned());
            container.env = vec!["A=1".to_owned(), "B=2".to_owned(), "A=3".to_owned()];
        })
        .await;
    let wanted = "from the host\nfixed\nreadonly\n700\ntill\ntill\n10.1.2.3\tshop.db\nnameserver 192.0.2.1\n/work/deep\n3 2\n";
    assert_eq!(text, wanted);
    assert_eq!(std::fs::read_to_string(source.join("out")).unwrap(), "back\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn network_modes_choose_the_namespace() {
    let host = Host::new().await;
    let script = "ls -l /proc/self/ns/net | grep -o 'net:.*'; ls /sys/class/net | wc -l";
    let own = std::fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    let (text, _) = host.run(script, |spec| spec.network = NetworkMode::Host).await;
    assert_eq!(text.lines().next(), Some(own.as_str()));
    let (text, _) = host.run(script, |spec| spec.network = NetworkMode::None).await;
    assert_ne!(text.lines().next(), Some(own.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_image_gains_nothing_by_links() {
    let host = Host::new().await;
    let image = host.dir.path().join("image");
    // Account files and directories that point out of the root.
    std::fs::remove_file(image.join("etc/group")).unwrap();
    std::os::unix::fs::symlink("/../../../../etc/group", image.join("etc/group")).unwrap();
    std::os::unix::fs::symlink("/../../../../", image.join("up")).unwrap();
    let (text, _) = host.run("ls -d /up/bin/busybox; pwd", |spec| spec.container.dir = Some("/up/tmp".to_owned())).await;
    assert_eq!(text, "/up/bin/busybox\n/tmp\n");
    for name in ["proc", "dev", "sys"] {
        std::fs::remove_dir(image.join(name)).unwrap();
        std::os::unix::fs::symlink("/tmp", image.join(name)).unwrap();
        let task = host.prepare("true", |_| {}).await;
        let outcome = cluster_runtime::Runtime::start(host.runtime(), task).await;
        if name == "proc" || name == "sys" {
            assert!(outcome.is_err(), "a linked /{name} was accepted");
        }
        cluster_runtime::Runtime::remove(host.runtime(), task).await.unwrap();
        std::fs::remove_file(image.join(name)).unwrap();
        std::fs::create_dir(image.join(name)).unwrap();
    }
}
