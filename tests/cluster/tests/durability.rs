//! Every manager is killed in mid-write, again and again: no acknowledged write is lost. `CLUSTER_LAB_ROUNDS` sets how often (10).

#![expect(clippy::print_stderr, reason = "the figure is the point")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cluster_lab::Lab;

fn rounds() -> usize {
    std::env::var("CLUSTER_LAB_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[test]
fn no_acknowledged_write_is_lost_when_every_manager_is_killed() {
    let managers = ["m1", "m2", "m3"];
    let mut lab = Lab::cluster(&managers, &[]);
    let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    for round in 0..rounds() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (number, manager) in managers.iter().enumerate() {
                let (lab, stop, acknowledged) = (&lab, &stop, &acknowledged);
                scope.spawn(move || {
                    for attempt in 0.. {
                        let name = format!("s{round}-{number}-{attempt}");
                        let words = ["service", "create", "--detach", "--replicas", "0", "--name", &name, "web"];
                        if lab.ask(manager, &words).code == 0 {
                            acknowledged.lock().unwrap().insert(name);
                        }
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            }
            let enough = acknowledged.lock().unwrap().len() + 6;
            lab.until("some writes are acknowledged", || (acknowledged.lock().unwrap().len() >= enough).then_some(()));
            for manager in managers {
                lab.shell(manager, "kill -KILL $(cat /run/daemon.pid)");
            }
            stop.store(true, Ordering::Relaxed);
        });
        for manager in managers {
            lab.forget_daemon(manager);
            lab.start(manager);
        }
        let found = lab.until("the services are listed", || {
            let services = lab.ask("m1", &["service", "ls", "--format", "json"]);
            (services.code == 0).then(|| services.json())
        });
        let found: BTreeSet<String> = found.iter().map(|service| service["Name"].as_str().unwrap().to_owned()).collect();
        let lost: Vec<_> = acknowledged.lock().unwrap().difference(&found).cloned().collect();
        assert!(lost.is_empty(), "round {round}: acknowledged but lost: {lost:?}");
    }
    eprintln!("{} acknowledged writes, {} rounds of killing every manager, none lost", acknowledged.lock().unwrap().len(), rounds());
}
