//! Logs on request: lines of this node's containers, from the runtime to the manager that somebody asked. Never through Raft.
//!
//! Bounded on all sides: so many subscriptions, so many lines in a message, and no more lines read than the manager takes in. A subscription
//! ends when its reader went away or the session ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_runtime::{LogLine, LogOptions, LogStream, Runtime, RuntimeError};
use cluster_types::TaskId;
use futures::StreamExt as _;
use futures::stream::{SelectAll, select_all};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;

/// Subscriptions at the same time. Each follows its containers' files.
const SUBSCRIPTIONS: usize = 64;
/// Lines in a message: with 16 KiB for each, half of the largest message.
const LINES: usize = 32;
/// Messages on their way; a slow reader holds the containers' readers back, never their writers.
const MESSAGES: usize = 4;
/// How long a manager may take to accept the end of the stream.
const CLOSING: Duration = Duration::from_secs(10);

/// Publishes the logs that a session asks for. Dropped with the session, and all its streams with it.
pub(crate) struct LogPublisher {
    channel: Channel,
    runtime: Arc<dyn Runtime>,
    open: BTreeMap<String, AbortOnDropHandle<()>>,
}

impl LogPublisher {
    pub(crate) fn new(channel: Channel, runtime: Arc<dyn Runtime>) -> Self {
        Self { channel, runtime, open: BTreeMap::new() }
    }

    /// Begins to publish. Asked again for an open subscription, or for too many, it does nothing.
    pub(crate) fn open(&mut self, wanted: pb::LogsWanted) {
        self.open.retain(|_, publishing| !publishing.is_finished());
        if self.open.len() >= SUBSCRIPTIONS {
            return tracing::warn!(subscription = wanted.subscription, "too many readers of logs at once: one more is not served");
        }
        let (channel, runtime) = (self.channel.clone(), Arc::clone(&self.runtime));
        self.open
            .entry(wanted.subscription.clone())
            .or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(publish(channel, runtime, wanted))));
    }

    /// The reader went away.
    pub(crate) fn close(&mut self, subscription: &str) {
        self.open.remove(subscription);
    }
}

async fn publish(channel: Channel, runtime: Arc<dyn Runtime>, wanted: pb::LogsWanted) {
    let subscription = wanted.subscription.clone();
    let (outgoing, messages) = mpsc::channel(MESSAGES);
    let mut client = DispatcherClient::new(channel);
    let call = client.publish_logs(ReceiverStream::new(messages));
    let feed = feed(runtime, wanted, outgoing);
    let end = async {
        let (mut call, mut feed) = (std::pin::pin!(call), std::pin::pin!(feed));
        tokio::select! {
            answer = &mut call => return answer.map(drop),
            () = &mut feed => {}
        }
        tokio::time::timeout(CLOSING, call).await.unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded("no answer"))).map(drop)
    };
    if let Err(status) = end.await {
        tracing::debug!(subscription, code = %status.code(), message = status.message(), "publishing logs ended early");
    }
}

/// Reads lines into messages until the logs end or nobody takes the messages.
async fn feed(runtime: Arc<dyn Runtime>, wanted: pb::LogsWanted, outgoing: mpsc::Sender<pb::PublishLogsRequest>) {
    let (lines, notices) = open_all(runtime.as_ref(), &wanted).await;
    let message = |lines, notices| pb::PublishLogsRequest { subscription: wanted.subscription.clone(), lines, notices };
    // The first message comes in any case: it says that this node has answered.
    if outgoing.send(message(Vec::new(), notices)).await.is_err() {
        return;
    }
    let mut chunks = lines.ready_chunks(LINES);
    while let Some(chunk) = chunks.next().await {
        let mut ready = message(Vec::new(), Vec::new());
        for (task, line) in chunk {
            match line {
                Ok(line) => ready.lines.push(published(&task, line)),
                Err(error) => ready.notices.push(notice(&task, &error)),
            }
        }
        if outgoing.send(ready).await.is_err() {
            return;
        }
    }
}

type TaggedLines = futures::stream::BoxStream<'static, (String, Result<LogLine, RuntimeError>)>;

/// The logs of all tasks as one stream, and what is wrong with those that cannot be read.
async fn open_all(runtime: &dyn Runtime, wanted: &pb::LogsWanted) -> (SelectAll<TaggedLines>, Vec<pb::TaskNotice>) {
    let since_ns = wanted.since_ms.map(|ms| ms.saturating_mul(1_000_000));
    let options = LogOptions { follow: wanted.follow, tail: wanted.tail, since_ns };
    let (mut streams, mut notices): (Vec<TaggedLines>, Vec<pb::TaskNotice>) = (Vec::new(), Vec::new());
    for name in &wanted.tasks {
        match open_one(runtime, name, options).await {
            Ok(lines) => {
                let name = name.clone();
                streams.push(lines.map(move |line| (name.clone(), line)).boxed());
            }
            Err(text) => notices.push(pb::TaskNotice { task: name.clone(), text }),
        }
    }
    (select_all(streams), notices)
}

async fn open_one(runtime: &dyn Runtime, name: &str, options: LogOptions) -> Result<LogStream, String> {
    let task: TaskId = name.parse().map_err(|error: cluster_types::id::InvalidId| error.to_string())?;
    runtime.logs(task, options).await.map_err(|error| error.to_string())
}

fn published(task: &str, line: LogLine) -> pb::PublishedLine {
    pb::PublishedLine { task: task.to_owned(), at_ns: line.at_ns, stderr: line.stderr, text: line.text, partial: line.partial }
}

fn notice(task: &str, error: &RuntimeError) -> pb::TaskNotice {
    pb::TaskNotice { task: task.to_owned(), text: error.to_string() }
}
