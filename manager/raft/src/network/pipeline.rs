//! Appends in a row over one call, both ends: entries flow while earlier ones are still being synced, and answers come in order.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_api::pb::RaftMessage;
use cluster_api::pb::raft_client::RaftClient;
use futures::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::base::BoxStream;
use openraft::errors::{RPCError, Timeout};
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::service::stopped;
use super::wire::{Label, read};
use crate::machine::Machine;
use crate::types::Types;

/// Answers as the receiving end sends them.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<RaftMessage, Status>> + Send>>;

/// Answers as openraft reads them.
pub(crate) type Appended<'s> = BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>;

/// The receiving end: feeds appends to Raft and sends its answers back. A message that is not for this manager, or cannot be read, ends the
/// row with the reason.
pub(super) fn answer(label: Label, raft: &openraft::Raft<Types, Machine>, messages: Streaming<RaftMessage>) -> Answers {
    let failure = Arc::<Mutex<Option<Status>>>::default();
    let keeper = failure.clone();
    let requests = tokio_stream::StreamExt::map_while(messages, move |message| {
        let request = message.and_then(|message| label.open::<AppendEntriesRequest<Types>>(&message));
        request.map_err(|status| *keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(status)).ok()
    });
    let results = raft.stream_append(requests).map(move |result| label.message(&result.map_err(stopped)?));
    let ending = futures::stream::once(async move { failure.lock().unwrap_or_else(PoisonError::into_inner).take() });
    Box::pin(results.chain(ending.filter_map(|failure| async move { failure.map(Err) })))
}

/// The sending end, while it is open.
pub(super) struct Row {
    answers: Streaming<RaftMessage>,
    /// Appends that were sent and not answered.
    open: Arc<AtomicUsize>,
}

/// Opens a row: appends are sent as `requests` gives them.
pub(super) async fn open<S>(label: Label, mut client: RaftClient<Channel>, requests: S) -> Result<Row, Status>
where
    S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + 'static,
{
    let open = Arc::<AtomicUsize>::default();
    let sent = open.clone();
    // What cannot be encoded ends the row; openraft's messages can.
    let messages = tokio_stream::StreamExt::map_while(requests, move |request| {
        sent.fetch_add(1, Ordering::Relaxed);
        label.message(&request).ok()
    });
    let answers = client.append_stream(messages).await?.into_inner();
    Ok(Row { answers, open })
}

impl Row {
    /// The answers for openraft. An append that is not answered within `deadline` is `late`; silence without an open append is fine.
    pub(super) fn appended<'s>(
        self,
        deadline: Duration,
        late: Timeout<Types>,
        failed: impl Fn(&Status) -> RPCError<Types> + Send + 's,
    ) -> Appended<'s> {
        let answers = futures::stream::unfold(Some((self, late, failed)), move |row| async move {
            let (mut row, late, failed) = row?;
            match row.next(deadline).await {
                Ok(Some(Ok(message))) => match read::<StreamAppendResult<Types>>(&message) {
                    Ok(result) => Some((Ok(result), Some((row, late, failed)))),
                    Err(status) => Some((Err(failed(&status)), None)),
                },
                Ok(Some(Err(status))) => Some((Err(failed(&status)), None)),
                Ok(None) => None,
                Err(Late) => Some((Err(late.into()), None)),
            }
        });
        Box::pin(answers)
    }

    async fn next(&mut self, deadline: Duration) -> Result<Option<Result<RaftMessage, Status>>, Late> {
        loop {
            let waits = self.open.load(Ordering::Relaxed) > 0;
            match tokio::time::timeout(deadline, self.answers.next()).await {
                Ok(answer) => {
                    self.open.fetch_sub(1, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(_) if waits => return Err(Late),
                Err(_) => {}
            }
        }
    }
}

/// An append was not answered in time.
struct Late;
