//! Many agents at once: everything is placed, told and acknowledged, with few log entries.

use std::time::Instant;

use futures::StreamExt as _;

use crate::agent::Agent;
use crate::testbed::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn many_agents_cost_few_entries() {
    let (nodes, tasks) = (60, 1_200);
    let bed = Bed::new().await;
    let token = bed.token(cluster_types::Role::Worker).await;
    let (bed_of, token) = (&bed, &token);
    let joins = (0..nodes).map(|number| async move { bed_of.join_with(token, &format!("w{number}")).await.unwrap() });
    let credentials: Vec<_> = futures::stream::iter(joins).buffered(8).collect().await;
    let mut agents = Vec::new();
    for (number, credentials) in credentials.iter().enumerate() {
        agents.push(Agent::start(&format!("w{number}"), "n", bed.channel(credentials)));
        // Handshakes take their time: not all at once.
        if number % 16 == 15 {
            bed.until_ready(&format!("w{number}")).await;
        }
    }
    for number in 0..nodes {
        bed.until_ready(&format!("w{number}")).await;
    }
    let (begun, before) = (Instant::now(), bed.manager.raft().view().index().0);
    bed.create("web", tasks).await;
    bed.until_running("web", tasks).await;
    let acknowledged = async || agents.iter().map(|agent| agent.told.lock().unwrap().committed).sum::<u64>() >= tasks;
    bed.until("every report is acknowledged", acknowledged).await;
    let entries = bed.manager.raft().view().index().0 - before;
    tracing::info!(tasks, nodes, entries, took = ?begun.elapsed(), "all placed and acknowledged");
    assert!(entries < tasks / 4, "{entries} entries for {tasks} tasks: reports are not batched");
    assert!(agents.iter().all(|agent| !agent.told.lock().unwrap().surprised), "an assignment came before its network");
    let told: Vec<usize> = agents.iter().map(|agent| agent.told.lock().unwrap().assignments.len()).collect();
    assert!(told.iter().max().unwrap() - told.iter().min().unwrap() <= 1, "not spread: {told:?}");
}
