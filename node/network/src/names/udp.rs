//! The loop that answers datagrams. Names of the cluster are answered at once; questions for the world wait beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::container;
use super::forward::Transport;
use super::resolver::Resolver;
use super::verdict::Verdict;

/// More than any query has.
const QUERY: usize = 4096;
/// Before the next try, when the socket cannot be read.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers until it is dropped; what is under way ends with it.
pub(super) async fn serve(socket: UdpSocket, resolver: Arc<Resolver>) {
    let socket = Arc::new(socket);
    let mut forwards = JoinSet::new();
    let mut buffer = vec![0; QUERY];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => take(&socket, &resolver, &mut forwards, &buffer[..length], from).await,
            Err(error) => {
                tracing::debug!(%error, "the name service could not read a datagram");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while forwards.try_join_next().is_some() {}
    }
}

async fn take(socket: &Arc<UdpSocket>, resolver: &Arc<Resolver>, forwards: &mut JoinSet<()>, query: &[u8], from: SocketAddr) {
    let asker = container(from);
    match resolver.judge(asker, query) {
        Verdict::Ignore => {}
        Verdict::Reply(reply) => send(socket, &reply.datagram(), from).await,
        Verdict::Forward(failure) => {
            let Some(place) = resolver.forwards.take(asker) else { return };
            let (socket, resolver, query) = (Arc::clone(socket), Arc::clone(resolver), query.to_vec());
            forwards.spawn(async move {
                let answer = resolver.forward(&query, &failure, Transport::Udp).await;
                send(&socket, &answer.unwrap_or_else(|| failure.datagram()), from).await;
                drop(place);
            });
        }
    }
}

async fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    if !answer.is_empty()
        && let Err(error) = socket.send_to(answer, to).await
    {
        tracing::debug!(%error, %to, "an answer of the name service was not sent");
    }
}
