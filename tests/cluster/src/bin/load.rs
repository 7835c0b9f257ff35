//! A web client that counts: asks an address again and again over several connections, for a number of requests or until its standard
//! input ends, and says in one JSON line how many answers came, from which containers, what they saw as their client, and every failure.
//!
//! A request without a whole answer is a failure, whatever the reason: nothing is tried again.
//!
//!   load ADDRESS:PORT CONNECTIONS REQUESTS|- keep|new [PAUSE]
//!
//! PAUSE are milliseconds between two requests of a connection: the machine that is tested is this one too.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test program: what goes wrong ends it with words")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

/// How long connecting, and one answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Failures that are told with their words.
const TOLD: usize = 20;

/// What came of the requests of one connection after another.
#[derive(Default)]
struct Count {
    answers: u64,
    failures: Vec<String>,
    containers: BTreeMap<String, u64>,
    clients: BTreeMap<String, u64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, requests, reuse, pause @ ..] = arguments.as_slice() else {
        panic!("load ADDRESS:PORT CONNECTIONS REQUESTS|- keep|new [PAUSE]");
    };
    let pause = Duration::from_millis(pause.first().map_or(0, |text| text.parse().expect("milliseconds")));
    let address: SocketAddr = address.parse().expect("an address");
    let left = Arc::new(AtomicU64::new(requests.parse().unwrap_or(u64::MAX)));
    let stop = Arc::new(AtomicBool::new(false));
    let (began, keep) = (Instant::now(), reuse == "keep");
    if requests == "-" {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.store(true, Ordering::SeqCst);
        });
    }
    let workers: Vec<_> = (0..connections.parse::<usize>().expect("a number of connections"))
        .map(|_| {
            let (left, stop) = (Arc::clone(&left), Arc::clone(&stop));
            std::thread::spawn(move || work(address, keep, pause, &left, &stop))
        })
        .collect();
    let mut total = Count::default();
    for worker in workers {
        total.add(worker.join().expect("a worker"));
    }
    let told: Vec<&String> = total.failures.iter().take(TOLD).collect();
    println!(
        "{}",
        json!({
            "requests": total.answers + total.failures.len() as u64, "failed": total.failures.len(), "failures": told,
            "containers": total.containers, "clients": total.clients, "seconds": began.elapsed().as_secs_f64(),
        })
    );
}

/// Asks until there is nothing left to ask.
fn work(address: SocketAddr, keep: bool, pause: Duration, left: &AtomicU64, stop: &AtomicBool) -> Count {
    let began = Instant::now();
    let mut count = Count::default();
    let mut connection = None;
    while !stop.load(Ordering::SeqCst) && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let reused = connection.is_some();
        match ask(&mut connection, address, keep) {
            Ok(body) => count.take(&body),
            Err(error) => {
                connection = None;
                let how = if reused { "on an open connection" } else { "on a new connection" };
                count.failures.push(format!("{:.3} s: {how}: {error}", began.elapsed().as_secs_f64()));
            }
        }
        #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
        std::thread::sleep(pause);
    }
    count
}

/// One request and its whole answer.
fn ask(connection: &mut Option<BufReader<TcpStream>>, address: SocketAddr, keep: bool) -> std::io::Result<String> {
    if connection.is_none() {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        *connection = Some(BufReader::new(stream));
    }
    let reader = connection.as_mut().expect("it was just made");
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

impl Count {
    fn take(&mut self, body: &str) {
        self.answers += 1;
        for line in body.lines() {
            match line.split_once(' ') {
                Some(("container", name)) => *self.containers.entry(name.to_owned()).or_default() += 1,
                Some(("client", address)) => *self.clients.entry(address.to_owned()).or_default() += 1,
                Some(_) | None => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.failures.extend(other.failures);
        other.containers.into_iter().for_each(|(name, count)| *self.containers.entry(name).or_default() += count);
        other.clients.into_iter().for_each(|(address, count)| *self.clients.entry(address).or_default() += count);
    }
}
