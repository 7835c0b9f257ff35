//! The running service, on loopback addresses.

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::names::frame;
use crate::names::{NameServer, RESOLVER, Upstreams};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::A;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

/// Only ends a test that hangs.
const HANGS: Duration = Duration::from_secs(60);
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Asks from a network without a way out.
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

async fn server(upstreams: Upstreams) -> NameServer {
    let items = Arc::new(view());
    let lookup = move |asker| match asker {
        STRANGER => None,
        INSIDE => Some((vec![VAULT], Arc::clone(&items))),
        _ => Some((vec![FRONT, BACK], Arc::clone(&items))),
    };
    // The free UDP port may be another test's TCP port.
    for _ in 0..20 {
        if let Ok(server) = NameServer::serve(HERE, 0, lookup.clone(), upstreams.clone()).await {
            return server;
        }
    }
    panic!("no port is free for both protocols");
}

async fn ask_from(from: Ipv4Addr, server: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind((from, 0)).await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(&message.to_vec().unwrap()).await.unwrap();
    let mut buffer = vec![0; 65_535];
    let length = timeout(HANGS, socket.recv(&mut buffer)).await.expect("an answer").unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

async fn ask(server: SocketAddr, message: &Message) -> Message {
    ask_from(HERE, server, message).await
}

async fn ask_stream(stream: &mut TcpStream, message: &Message) -> Message {
    frame::write(stream, &message.to_vec().unwrap()).await.unwrap();
    Message::from_vec(&timeout(HANGS, frame::read(stream)).await.expect("an answer").unwrap()).unwrap()
}

/// What a resolver of the world says: this code, and an address when there is none.
fn world(query: &[u8], code: ResponseCode) -> Message {
    let mut message = Message::from_vec(query).unwrap().into_response();
    message.metadata.response_code = code;
    if code == ResponseCode::NoError {
        let record = Record::from_rdata(message.queries[0].name.clone(), 60, RData::A(A::new(192, 0, 2, 80)));
        message.add_answer(record);
    }
    message
}

/// A resolver of the world on both protocols. Over UDP it says what is wrong before it says what is right.
async fn upstream(code: ResponseCode) -> SocketAddr {
    let datagrams = UdpSocket::bind((HERE, 0)).await.unwrap();
    let address = datagrams.local_addr().unwrap();
    if let Ok(streams) = TcpListener::bind(address).await {
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = streams.accept().await {
                let query = frame::read(&mut stream).await.unwrap();
                frame::write(&mut stream, &world(&query, code).to_vec().unwrap()).await.unwrap();
            }
        });
    }
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        while let Ok((length, from)) = datagrams.recv_from(&mut buffer).await {
            let right = world(&buffer[..length], code);
            let mut other_id = right.clone();
            other_id.metadata.id = right.metadata.id.wrapping_add(1);
            let mut other_question = right.clone();
            other_question.queries[0].set_name(Name::from_ascii("evil.example.").unwrap());
            let mut no_answer = right.clone();
            no_answer.metadata.message_type = MessageType::Query;
            for wrong in [other_id, other_question, no_answer] {
                let mut wrong = wrong;
                wrong.answers = vec![Record::from_rdata(Name::root(), 60, RData::A(A::new(6, 6, 6, 6)))];
                datagrams.send_to(&wrong.to_vec().unwrap(), from).await.unwrap();
            }
            datagrams.send_to(b"garbage", from).await.unwrap();
            datagrams.send_to(&right.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn names_are_answered_over_both_protocols() {
    let server = server(Upstreams::fixed(Vec::new())).await;
    let message = query("many", RecordType::A, 9);
    let datagram = ask(server.address(), &message).await;
    assert!(datagram.metadata.truncation && !datagram.answers.is_empty());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for (name, expected) in [("many", 200), ("web", 1), ("tasks.web", 3)] {
        let whole = ask_stream(&mut stream, &query(name, RecordType::A, 9)).await;
        assert_eq!((whole.answers.len(), whole.metadata.truncation), (expected, false), "{name}");
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let server = server(Upstreams::fixed(Vec::new())).await;
    let answer = ask_from(STRANGER, server.address(), &query("web", RecordType::A, 9)).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn other_names_are_asked_of_the_world_and_only_its_own_answer_counts() {
    let server = server(Upstreams::fixed(vec![upstream(ResponseCode::NoError).await])).await;
    let message = query("Example.org.", RecordType::A, 4711);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for answer in [ask(server.address(), &message).await, ask_stream(&mut stream, &message).await] {
        assert_eq!((answer.metadata.id, told(&answer)), (4711, vec!["192.0.2.80".to_owned()]));
    }
    let inside = ask_from(INSIDE, server.address(), &message).await;
    assert_eq!((inside.metadata.response_code, inside.answers.len()), (ResponseCode::NXDomain, 0));
}

#[tokio::test]
async fn the_next_resolver_is_asked_when_one_is_silent_closed_or_unwilling() {
    let silent = UdpSocket::bind((HERE, 0)).await.unwrap();
    let closed = UdpSocket::bind((HERE, 0)).await.unwrap().local_addr().unwrap();
    let (unwilling, good) = (upstream(ResponseCode::Refused).await, upstream(ResponseCode::NoError).await);
    let message = query("example.org", RecordType::A, 1);
    let through = server(Upstreams::fixed(vec![closed, unwilling, silent.local_addr().unwrap(), good])).await;
    assert_eq!(told(&ask(through.address(), &message).await), ["192.0.2.80"]);
    for (upstreams, expected) in [
        (vec![], ResponseCode::ServFail),
        (vec![closed], ResponseCode::ServFail),
        (vec![unwilling, closed], ResponseCode::Refused),
        (vec![upstream(ResponseCode::NXDomain).await, good], ResponseCode::NXDomain),
    ] {
        let server = server(Upstreams::fixed(upstreams)).await;
        let answer = ask(server.address(), &message).await;
        assert_eq!((answer.metadata.response_code, answer.queries.len()), (expected, 1));
    }
}

#[tokio::test]
async fn a_container_that_asks_too_much_does_not_stop_the_names_of_others() {
    let silent = UdpSocket::bind((HERE, 0)).await.unwrap();
    let server = server(Upstreams::fixed(vec![silent.local_addr().unwrap()])).await;
    let flood = UdpSocket::bind((HERE, 0)).await.unwrap();
    let bytes = query("example.org", RecordType::A, 1).to_vec().unwrap();
    for _ in 0..600 {
        flood.send_to(&bytes, server.address()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
    }
    assert_eq!(told(&ask(server.address(), &query("web", RecordType::A, 1)).await), ["10.200.9.1"]);
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind((INSIDE, 0).into()).unwrap();
    let mut other = other.connect(server.address()).await.unwrap();
    assert_eq!(told(&ask_stream(&mut other, &query("safe", RecordType::A, 1)).await), ["10.202.9.1"]);
    // 64 of them may wait for the world at a time, for two seconds; the rest was dropped.
    let mut asked = 0;
    let mut buffer = [0; 512];
    while silent.try_recv(&mut buffer).is_ok() {
        asked += 1;
    }
    assert!((1..=192).contains(&asked), "{asked} questions were passed on");
}

#[tokio::test]
async fn garbage_does_not_end_the_service() {
    let server = server(Upstreams::fixed(Vec::new())).await;
    let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
    for length in 0..200_usize {
        let garbage: Vec<u8> = (0..length).map(|_| rand::random()).collect();
        socket.send_to(&garbage, server.address()).await.unwrap();
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        frame::write(&mut stream, &garbage).await.unwrap();
    }
    let half = query("web", RecordType::A, 1).to_vec().unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &half[..5]).await.unwrap();
    drop(stream);
    assert_eq!(told(&ask(server.address(), &query("web", RecordType::A, 1)).await), ["10.200.9.1"]);
}

#[tokio::test]
async fn a_dropped_service_gives_its_port_back() {
    let first = server(Upstreams::fixed(Vec::new())).await;
    let address = first.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask_stream(&mut stream, &query("web", RecordType::A, 1)).await;
    drop(first);
    let ended = async {
        while UdpSocket::bind(address).await.is_err() || TcpListener::bind(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(HANGS, ended).await.expect("the port is free");
    assert!(frame::read(&mut stream).await.is_err());
}

/// In a network namespace of its own: on the machine's own loopback the address would stay.
#[test]
fn the_address_is_put_on_the_loopback_interface_for_the_host_only() {
    let run = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            handle.link().set(rtnetlink::LinkUnspec::new_with_index(1).up().build()).execute().await.unwrap();
            let items = Arc::new(view());
            for _ in 0..2 {
                let items = Arc::clone(&items);
                let lookup = move |asker| (asker == RESOLVER).then(|| (vec![FRONT], Arc::clone(&items)));
                let server = NameServer::serve(RESOLVER, 0, lookup, Upstreams::fixed(Vec::new())).await.unwrap();
                let answer = ask_from(RESOLVER, server.address(), &query("web", RecordType::A, 1)).await;
                assert_eq!(told(&answer), ["10.200.9.1"]);
            }
            let shown = tokio::process::Command::new("ip").args(["-o", "address", "show", "dev", "lo"]).output().await.unwrap();
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(shown.contains("169.254.1.53/32 scope host"), "{shown}");
        });
    };
    std::thread::spawn(run).join().unwrap();
}
