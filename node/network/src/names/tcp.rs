//! The loop that answers over TCP: for answers that do not fit in a datagram.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::forward::Transport;
use super::resolver::Resolver;
use super::verdict::Verdict;
use super::{container, frame};

/// How long a connection may wait for its next query, or for an answer to be taken.
const IDLE: Duration = Duration::from_secs(10);
/// Before the next try, when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers until it is dropped; connections end with it.
pub(super) async fn serve(listener: TcpListener, resolver: Arc<Resolver>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let asker = container(from);
                if let Some(place) = resolver.connections.take(asker) {
                    let resolver = Arc::clone(&resolver);
                    connections.spawn(async move {
                        converse(stream, asker, &resolver).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the name service could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One query after the other, until either side has enough.
async fn converse(mut stream: TcpStream, asker: Ipv4Addr, resolver: &Resolver) {
    while let Ok(Ok(query)) = timeout(IDLE, frame::read(&mut stream)).await {
        let Some(answer) = reply(&query, asker, resolver).await else { return };
        if !matches!(timeout(IDLE, frame::write(&mut stream, &answer)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn reply(query: &[u8], asker: Ipv4Addr, resolver: &Resolver) -> Option<Vec<u8>> {
    let answer = match resolver.judge(asker, query) {
        Verdict::Ignore => return None,
        Verdict::Reply(reply) => reply.stream(),
        Verdict::Forward(failure) => {
            let _place = resolver.forwards.take(asker)?;
            let answer = resolver.forward(query, &failure, Transport::Tcp).await;
            answer.unwrap_or_else(|| failure.stream())
        }
    };
    (!answer.is_empty()).then_some(answer)
}
