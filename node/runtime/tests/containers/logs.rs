//! What a container writes, and how it is read.

use cluster_runtime::{LogLimits, LogOptions, Runtime};
use futures::StreamExt as _;

use super::fixture::Host;

#[tokio::test(flavor = "multi_thread")]
async fn streams_long_lines_and_ends_are_kept() {
    let host = Host::new().await;
    let task = host.start("echo out; echo err >&2; head -c 20000 /dev/zero; echo; printf tail", |_| {}).await;
    host.ended(task).await;
    let lines = host.lines(task, LogOptions::default()).await;
    let mut shapes: Vec<(bool, usize, bool)> = lines.iter().map(|line| (line.stderr, line.text.len(), line.partial)).collect();
    shapes.sort_by_key(|(stderr, ..)| *stderr);
    assert_eq!(shapes, [(false, 3, false), (false, 16384, true), (false, 3616, false), (false, 4, false), (true, 3, false)]);
    assert!(lines.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
    let since = LogOptions { since_ns: Some(lines.last().unwrap().at_ns + 1), ..LogOptions::default() };
    assert_eq!(host.lines(task, since).await, []);
    host.runtime().remove(task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_through_rotations_and_ends_with_the_container() {
    let host = Host::with(|config| config.log = LogLimits { file_bytes: 4096, files: 1000 }).await;
    let task = host.prepare("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done", |_| {}).await;
    let follow = host.runtime().logs(task, LogOptions { follow: true, ..LogOptions::default() }).await.unwrap();
    host.runtime().start(task).await.unwrap();
    let texts: Vec<String> = follow.map(|line| String::from_utf8(line.unwrap().text).unwrap()).collect().await;
    let wanted: Vec<String> = (0..3000).map(|number| format!("line {number}")).collect();
    assert!(texts == wanted, "{} lines, last {:?}", texts.len(), texts.last());
    let tail = host.lines(task, LogOptions { tail: Some(700), ..LogOptions::default() }).await;
    assert_eq!(tail.first().unwrap().text, b"line 2300");
    assert_eq!(tail.len(), 700);
    host.runtime().remove(task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reading_holds_nobody_up() {
    let host = Host::with(|config| config.log = LogLimits { file_bytes: 100_000, files: 2 }).await;
    let task = host.start("echo first; head -c 5000000 /dev/zero | tr '\\0' 'x' | head -c 5000000; echo; echo last", |_| {}).await;
    // A reader that opened the log and never reads on.
    let _slow = host.runtime().logs(task, LogOptions { follow: true, ..LogOptions::default() }).await.unwrap();
    assert_eq!(host.ended(task).await.container.exit_code, Some(0));
    let tail = host.lines(task, LogOptions { tail: Some(1), ..LogOptions::default() }).await;
    assert_eq!(tail.first().unwrap().text, b"last");
    host.runtime().remove(task).await.unwrap();
}
