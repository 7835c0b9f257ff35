//! A real host network in a namespace of its own: needs root and `nft`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use cluster_types::Protocol;
use nix::sched::{CloneFlags, setns, unshare};

use super::*;

/// Runs a test as a host of its own: another thread in a new network namespace, whose loopback is up and has an address besides 127.0.0.1.
fn on_a_host(test: impl AsyncFnOnce() + Send + 'static) {
    let host = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            handle.link().set(rtnetlink::LinkUnspec::new_with_index(1).up().build()).execute().await.unwrap();
            let address = std::net::IpAddr::from([192, 0, 2, 1]);
            handle.address().add(1, address, 32).execute().await.unwrap();
            test().await;
        });
    });
    host.join().unwrap();
}

fn config(dir: &Path) -> NetworkConfig {
    NetworkConfig { tag: "test".to_owned(), subnet: "10.210.0.0/29".parse().unwrap(), dir: dir.to_owned() }
}

fn port(published: u16) -> PublishedPort {
    PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Host }
}

/// A server inside a container's namespace that answers one connection with the client's address.
fn answer_once(netns: &Path) {
    let netns = std::fs::File::open(netns).unwrap();
    let (ready, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        setns(netns.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        ready.send(()).unwrap();
        let (mut stream, peer) = listener.accept().unwrap();
        // The port is free again before the answer ends.
        drop(listener);
        stream.write_all(peer.ip().to_string().as_bytes()).unwrap();
    });
    wait.recv().unwrap();
}

fn ask(address: (Ipv4Addr, u16)) -> String {
    let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(5)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_container_answers_at_its_address_and_at_its_published_port() {
    on_a_host(async || {
        let dir = tempfile::tempdir().unwrap();
        let network = HostNetwork::open(config(dir.path())).await.unwrap();
        let task = TaskId::from_bits(1);
        let attachment = network.attach(task, &[port(0)]).await.unwrap();
        assert_eq!(network.attach(task, &[port(0)]).await.unwrap(), attachment);
        answer_once(&attachment.netns);
        assert!(!ask((attachment.address, 80)).is_empty());
        answer_once(&attachment.netns);
        assert!(!ask((Ipv4Addr::LOCALHOST, attachment.ports[0].published)).is_empty());
        network.detach(task).await.unwrap();
        assert!(!namespace::is_alive(&attachment.netns));
        network.close().await;
    });
}

#[test]
fn what_an_earlier_life_gave_is_taken_over_and_what_nobody_owns_goes() {
    on_a_host(async || {
        let dir = tempfile::tempdir().unwrap();
        let (kept, lost) = (TaskId::from_bits(1), TaskId::from_bits(2));
        let first = HostNetwork::open(config(dir.path())).await.unwrap();
        let given = first.attach(kept, &[port(0)]).await.unwrap();
        let stray = first.attach(lost, &[]).await.unwrap();
        first.shared.ledger.forget(lost);
        first.shared.state.lock().await.held.clear();

        let second = HostNetwork::open(config(dir.path())).await.unwrap();
        assert_eq!(second.attach(kept, &[]).await.unwrap(), given);
        assert!(namespace::is_alive(&given.netns) && !namespace::is_alive(&stray.netns));
        second.close().await;
        first.close().await;
    });
}

#[test]
fn addresses_run_out_with_a_reason_and_come_back() {
    on_a_host(async || {
        let dir = tempfile::tempdir().unwrap();
        let network = HostNetwork::open(config(dir.path())).await.unwrap();
        for number in 1..=6 {
            network.attach(TaskId::from_bits(number), &[]).await.unwrap();
        }
        let refused = network.attach(TaskId::from_bits(7), &[]).await.unwrap_err();
        assert!(refused.to_string().contains("--container-subnet"), "{refused}");
        network.detach(TaskId::from_bits(3)).await.unwrap();
        network.attach(TaskId::from_bits(7), &[]).await.unwrap();
        network.close().await;
    });
}
