//! A client that counts: asks an address again and again over several connections, for a number of requests or until its standard
//! input ends, and says in one JSON line how many answers came, from which containers, what they saw as their client, and every failure.
//!
//! A request without a whole answer is a failure, whatever the reason: nothing is tried again.
//!
//!   load ADDRESS:PORT CONNECTIONS REQUESTS|- keep|new|udp [PAUSE [RATE]]
//!
//! `keep` asks over connections that stay, `new` and `udp` with a new one, or a new socket, for each request. PAUSE are milliseconds
//! between two requests of a connection: the machine that is tested is this one too. RATE is how many requests all connections begin in a
//! second, in turn: with enough of them, one that waits holds none up.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test program: what goes wrong ends it with words")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

/// How long connecting, and one answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Failures that are told one by one; all are counted.
const TOLD: usize = 2000;

/// How requests reach the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Keep,
    New,
    Udp,
}

/// When the next request begins.
#[derive(Clone, Copy)]
struct Pace {
    pause: Duration,
    every: Option<Duration>,
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
    fn wait(self, began: Instant, turns: &AtomicU64) {
        match self.every {
            None => std::thread::sleep(self.pause),
            Some(every) => {
                let turn = turns.fetch_add(1, Ordering::SeqCst);
                let due = began + every.mul_f64(turn as f64);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
    }
}

/// What came of the requests of one connection after another.
#[derive(Default)]
struct Count {
    answers: u64,
    failures: Vec<Value>,
    containers: BTreeMap<String, u64>,
    clients: BTreeMap<String, u64>,
    ports: BTreeMap<String, u64>,
}

/// A connection, and the container that answered on it.
struct Open {
    reader: BufReader<TcpStream>,
    container: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, requests, way, pause @ ..] = arguments.as_slice() else {
        panic!("load ADDRESS:PORT CONNECTIONS REQUESTS|- keep|new|udp [PAUSE [RATE]]");
    };
    let way = match way.as_str() {
        "keep" => Way::Keep,
        "new" => Way::New,
        "udp" => Way::Udp,
        other => panic!("`{other}` is no way to ask: keep, new or udp"),
    };
    let rate = pause.get(1).map(|text| Duration::from_secs(1) / text.parse().expect("requests a second"));
    let pace = Pace { pause: Duration::from_millis(pause.first().map_or(0, |text| text.parse().expect("milliseconds"))), every: rate };
    let address: SocketAddr = address.parse().expect("an address");
    let left = Arc::new(AtomicU64::new(requests.parse().unwrap_or(u64::MAX)));
    let turns = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (began, began_ms) = (Instant::now(), unix_ms());
    if requests == "-" {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.store(true, Ordering::SeqCst);
        });
    }
    let workers: Vec<_> = (0..connections.parse::<usize>().expect("a number of connections"))
        .map(|_| {
            let (left, stop, turns) = (Arc::clone(&left), Arc::clone(&stop), Arc::clone(&turns));
            std::thread::spawn(move || work(address, way, || pace.wait(began, &turns), &left, &stop))
        })
        .collect();
    let mut total = Count::default();
    for worker in workers {
        total.add(worker.join().expect("a worker"));
    }
    let told: Vec<&Value> = total.failures.iter().take(TOLD).collect();
    println!(
        "{}",
        json!({
            "requests": total.answers + total.failures.len() as u64, "failed": total.failures.len(), "failures": told,
            "containers": total.containers, "clients": total.clients, "ports": total.ports, "began_ms": began_ms,
            "seconds": began.elapsed().as_secs_f64(),
        })
    );
}

/// Asks until there is nothing left to ask.
fn work(address: SocketAddr, way: Way, wait: impl Fn(), left: &AtomicU64, stop: &AtomicBool) -> Count {
    let mut count = Count::default();
    let mut connection = None;
    wait();
    while !stop.load(Ordering::SeqCst) && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let asked_ms = unix_ms();
        // On a connection that stays it is known who should have answered.
        let container = connection.as_ref().map(|open: &Open| open.container.clone());
        let answer = if way == Way::Udp { ask_by_datagram(address) } else { ask(&mut connection, address, way == Way::Keep) };
        match answer {
            Ok(body) => {
                let container = count.take(&body);
                connection.iter_mut().for_each(|open| container.clone_into(&mut open.container));
            }
            Err(error) => {
                // With it the connection is found in the hosts' tables.
                let port = connection.take().and_then(|open: Open| open.reader.get_ref().local_addr().ok()).map(|address| address.port());
                let (failed_ms, error) = (unix_ms(), error.to_string());
                count
                    .failures
                    .push(json!({ "asked_ms": asked_ms, "failed_ms": failed_ms, "container": container, "port": port, "error": error }));
            }
        }
        wait();
    }
    count
}

/// One datagram and the one that answers it.
fn ask_by_datagram(address: SocketAddr) -> std::io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"who")?;
    let mut body = [0; 512];
    let length = socket.recv(&mut body)?;
    Ok(String::from_utf8_lossy(&body[..length]).into_owned())
}

/// One request and its whole answer.
fn ask(connection: &mut Option<Open>, address: SocketAddr, keep: bool) -> std::io::Result<String> {
    if connection.is_none() {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        *connection = Some(Open { reader: BufReader::new(stream), container: String::new() });
    }
    let reader = &mut connection.as_mut().expect("it was just made").reader;
    let wish = if keep { "keep-alive" } else { "close" };
    reader.get_mut().write_all(format!("GET / HTTP/1.1\r\nHost: web\r\nConnection: {wish}\r\n\r\n").as_bytes())?;
    let (mut length, mut close, mut line) = (None, !keep, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("closed before the answer"));
        }
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(bytes) = header.strip_prefix("content-length: ") {
            length = bytes.parse().ok();
        }
        close |= header == "connection: close";
    }
    let mut body = vec![0; length.ok_or_else(|| std::io::Error::other("no length"))?];
    reader.read_exact(&mut body)?;
    if close {
        *connection = None;
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Count {
    /// Counts an answer. Says which container gave it.
    fn take<'a>(&mut self, body: &'a str) -> &'a str {
        self.answers += 1;
        let mut container = "";
        for line in body.lines() {
            match line.split_once(' ') {
                Some(("container", name)) => {
                    container = name;
                    *self.containers.entry(name.to_owned()).or_default() += 1;
                }
                Some(("client", address)) => *self.clients.entry(address.to_owned()).or_default() += 1,
                Some(("port", number)) => *self.ports.entry(number.to_owned()).or_default() += 1,
                Some(_) | None => {}
            }
        }
        container
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.failures.extend(other.failures);
        let sum = |into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>| {
            from.into_iter().for_each(|(name, count)| *into.entry(name).or_default() += count);
        };
        sum(&mut self.containers, other.containers);
        sum(&mut self.clients, other.clients);
        sum(&mut self.ports, other.ports);
    }
}
