//! Hosts made of namespaces: a machine is a namespace with a runtime whose threads are all inside it, or just a namespace.

#![allow(clippy::disallowed_methods, reason = "these threads are no workers of a runtime")]

use std::fs::File;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

/// A namespace.
#[derive(Clone)]
pub(crate) struct Place {
    file: Arc<File>,
}

impl Place {
    /// A new one, with its loopback up.
    pub(crate) fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        let place = Self { file: Arc::new(made.join().unwrap()) };
        place.sh("ip link set lo up");
        place
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self { file: Arc::new(File::open(path).unwrap()) }
    }

    /// A path by which other programs find it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Runs something on a thread inside.
    pub(crate) fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let file = Arc::clone(&self.file);
        let thread = std::thread::spawn(move || {
            setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    /// Runs commands inside; says what they wrote.
    pub(crate) fn try_sh(&self, script: &str) -> (bool, String) {
        let script = script.to_owned();
        self.within(move || {
            let output = Command::new("sh").args(["-ec", &script]).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        })
    }

    pub(crate) fn sh(&self, script: &str) -> String {
        let (fine, text) = self.try_sh(script);
        assert!(fine, "{script}: {text}");
        text
    }

    /// Plugs its `eth0` into a switch.
    pub(crate) fn plug(&self, switch: &Self, last: u8) {
        self.sh(&format!("ip link add eth0 type veth peer name p{last} netns {}", switch.path()));
        switch.sh(&format!("ip link set p{last} master br0 up"));
        self.sh(&format!("ip addr add 10.91.0.{last}/24 dev eth0; ip link set eth0 up"));
    }

    /// Asks a server over TCP.
    pub(crate) fn ask(&self, address: impl Into<SocketAddr>) -> Option<String> {
        let address = address.into();
        self.within(move || {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        })
    }

    /// Asks several times; the answers in order of their text.
    pub(crate) fn ask_often(&self, address: (Ipv4Addr, u16)) -> Vec<String> {
        let mut answers: Vec<String> = (0..3).map(|_| self.ask(address).unwrap_or_else(|| "nothing".to_owned())).collect();
        answers.sort();
        answers
    }

    /// Asks a server over UDP, from a port. Whoever answers counts.
    pub(crate) fn ask_udp(&self, from: u16, address: (Ipv4Addr, u16)) -> Option<String> {
        self.answer_udp(from, address).map(|(answer, _)| answer)
    }

    /// The answer of a server over UDP, and who sent it.
    pub(crate) fn answer_udp(&self, from: u16, address: (Ipv4Addr, u16)) -> Option<(String, SocketAddr)> {
        self.within(move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            socket.send_to(b"?", address).ok()?;
            let mut bytes = [0; 64];
            let (length, sender) = socket.recv_from(&mut bytes).ok()?;
            Some((String::from_utf8_lossy(&bytes[..length]).into_owned(), sender))
        })
    }

    /// A server that answers its name and who asked, over TCP and UDP, until it is dropped.
    pub(crate) fn serve(&self, name: &str, port: u16) -> Server {
        let (stop, name) = (Arc::new(AtomicBool::new(false)), name.to_owned());
        let stopped = Arc::clone(&stop);
        let (listener, socket) = self.within(move || {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            socket.set_nonblocking(true).unwrap();
            (listener, socket)
        });
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                while let Ok((mut stream, peer)) = listener.accept() {
                    let _ = stream.write_all(format!("{name} saw {}", peer.ip()).as_bytes());
                }
                while let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
                    let _ = socket.send_to(name.as_bytes(), peer);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Server { stop, thread: Some(thread) }
    }

    /// What the kernel has, without what comes and goes by itself.
    pub(crate) fn snapshot(&self) -> String {
        let text = self.sh(
            "ip -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//; s/ qlen [0-9]*//' | sort; ip -o -4 addr | sed 's/^[0-9]*: //'| sort; \
             ip -4 rule | sort; ip -4 route show table all | sort; ip neigh show nud permanent | sort; bridge fdb | grep -v '33:33\\|01:00' | sort; nft list ruleset | sort",
        );
        // Links of prepared containers come in any number.
        text.lines().filter(|line| !line.starts_with("clu")).map(|line| format!("{line}\n")).collect()
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A running server.
pub(crate) struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A directory of a host network. What a failed test leaves in it goes with it.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let files = std::fs::read_dir(self.path().join("netns")).into_iter().flatten().flatten();
        files.for_each(|file| crate::namespace::remove(&file.path()));
    }
}

/// A namespace with a runtime whose threads are inside.
pub(crate) struct Machine {
    pub(crate) place: Place,
    runtime: tokio::runtime::Runtime,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let file = Arc::clone(&place.file);
        let enter = move || setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).on_thread_start(enter).enable_all().build().unwrap();
        Self { place, runtime }
    }

    /// Runs something inside and waits for it.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, result) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let _ = done.send(work.await);
        });
        result.recv().unwrap()
    }
}
