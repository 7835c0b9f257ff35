//! From the start of a container to its end.

use super::fixture::Host;

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runs_and_tells_its_code() {
    let host = Host::new().await;
    let (text, ended) = host.run("echo hello from $HOSTNAME; exit 7", |_| {}).await;
    assert!(text.starts_with("hello from web."), "{text}");
    assert_eq!(ended.container.exit_code, Some(7), "{ended:?}");
}
