//! A web server for tests of updates under load: says who it is and who asks. Asked to stop (SIGTERM), it goes on answering, tells each
//! client with `Connection: close` to come again elsewhere, and ends when nobody is connected any more, after two seconds at the latest.
//! As a server behind a load balancer should.
//!
//!   echo [PORT...]        serves the ports (80), over TCP and, a datagram for a datagram, over UDP
//!   echo --probe [PORT]   ends with 0 when a server answers there: a health check

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test program: what goes wrong ends it with words")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

/// How long clients may take to come once more before the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long nobody must be connected before the end: a connection may wait to be accepted.
const QUIET: Duration = Duration::from_millis(200);
/// Where it serves when nothing else is said.
const PORT: u16 = 80;

/// What the connections share.
#[derive(Default)]
struct Server {
    name: String,
    stopping: AtomicBool,
    connected: AtomicUsize,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let probe = words.first().is_some_and(|word| word == "--probe");
    let mut ports: Vec<u16> = words.iter().skip(usize::from(probe)).map(|word| word.parse().expect("a port")).collect();
    if ports.is_empty() {
        ports.push(PORT);
    }
    if probe {
        return answers(ports[0]);
    }
    // Blocked before any thread starts, so that only the wait below takes it.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.thread_block().expect("the signal is blocked");
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned();
    let server = Arc::new(Server { name, ..Server::default() });
    for port in ports {
        let listener = TcpListener::bind(("0.0.0.0", port)).expect("the port is free");
        let datagrams = UdpSocket::bind(("0.0.0.0", port)).expect("the port is free");
        println!("{} serves port {port}", server.name);
        let (accepting, answering) = (Arc::clone(&server), Arc::clone(&server));
        std::thread::spawn(move || accepting.accept(&listener, port));
        std::thread::spawn(move || answering.answer(&datagrams, port));
    }
    signals.wait().expect("a signal");
    server.farewell();
    ExitCode::SUCCESS
}

/// Whether a server of this program answers at a port of this container.
fn answers(port: u16) -> ExitCode {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200 "))
    };
    match ask() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("port {port} gives no proper answer");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("port {port} does not answer: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Server {
    fn accept(self: &Arc<Self>, listener: &TcpListener, port: u16) {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(self);
            server.connected.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let _ = server.serve(stream, port);
                server.connected.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    /// A datagram back for each one that comes.
    fn answer(&self, datagrams: &UdpSocket, port: u16) {
        while let Ok((_, client)) = datagrams.recv_from(&mut [0; 64]) {
            let _ = datagrams.send_to(self.says(client.ip(), port).as_bytes(), client);
        }
    }

    fn says(&self, client: IpAddr, port: u16) -> String {
        format!("container {}\nclient {client}\nport {port}\n", self.name)
    }

    /// Answers one connection's requests, which have no body.
    fn serve(&self, mut stream: TcpStream, port: u16) -> std::io::Result<()> {
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
            let body = self.says(client, port);
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
