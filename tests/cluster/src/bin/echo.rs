//! A web server for tests of updates under load: says who it is and who asks. Asked to stop (SIGTERM), it goes on answering, tells each
//! client with `Connection: close` to come again elsewhere, and ends when nobody is connected any more, after two seconds at the latest.
//! As a server behind a load balancer should.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test program: what goes wrong ends it with words")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

/// How long clients may take to come once more before the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long nobody must be connected before the end: a connection may wait to be accepted.
const QUIET: Duration = Duration::from_millis(200);

/// What the connections share.
#[derive(Default)]
struct Server {
    name: String,
    stopping: AtomicBool,
    connected: AtomicUsize,
}

fn main() {
    // Blocked before any thread starts, so that only the wait below takes it.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.thread_block().expect("the signal is blocked");
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned();
    let server = Arc::new(Server { name, ..Server::default() });
    let listener = TcpListener::bind("0.0.0.0:80").expect("port 80 is free");
    println!("{} serves port 80", server.name);
    let accepting = Arc::clone(&server);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&accepting);
            server.connected.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let _ = server.serve(stream);
                server.connected.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    signals.wait().expect("a signal");
    server.farewell();
}

impl Server {
    /// Answers one connection's requests, which have no body.
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let client = stream.peer_addr()?.ip();
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut wants_close = false;
            let mut line = String::new();
            loop {
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                wants_close |= line.to_ascii_lowercase().starts_with("connection: close");
                if line.trim().is_empty() {
                    break;
                }
            }
            let close = wants_close || self.stopping.load(Ordering::SeqCst);
            let body = format!("container {}\nclient {client}\n", self.name);
            let connection = if close { "close" } else { "keep-alive" };
            let length = body.len();
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{body}").as_bytes())?;
            if close {
                return Ok(());
            }
        }
    }

    fn farewell(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let began = Instant::now();
        let mut quiet_since = Instant::now();
        while began.elapsed() < FAREWELL && quiet_since.elapsed() < QUIET {
            if self.connected.load(Ordering::SeqCst) > 0 {
                quiet_since = Instant::now();
            }
            #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
