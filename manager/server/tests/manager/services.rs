//! Services from creation to replacement.

use crate::agent::Agent;
use crate::testbed::Bed;
use cluster_api::pb;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_created_dispatched_and_counted() {
    let bed = Bed::new().await;
    let credentials = bed.join("w1").await;
    let agent = Agent::start("w1", "n", bed.channel(&credentials));
    let created = bed.create("web", 3).await;
    assert_eq!((created.running, created.wanted), (0, 3));
    bed.until_running("web", 3).await;
    let told: Vec<_> = agent.told.lock().unwrap().assignments.values().cloned().collect();
    assert_eq!(told.iter().filter(|task| task.service_name == "web").count(), 3);
    let tasks = bed.tasks("web").await;
    assert!(tasks.iter().all(|task| task.node_hostname == "w1" && task.service_name == "web" && task.image == "busybox"));
    bed.until("all reports are acknowledged", async || agent.told.lock().unwrap().committed >= 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_nodes_tasks_run_elsewhere() {
    let bed = Bed::new().await;
    let (first, second) = (bed.join("w1").await, bed.join("w2").await);
    let lost = Agent::start("w1", "n", bed.channel(&first));
    bed.create("web", 2).await;
    bed.until_running("web", 2).await;
    let _stays = Agent::start("w2", "n", bed.channel(&second));
    bed.until_ready("w2").await;
    lost.kill();
    bed.until_state("w1", pb::NodeState::NodeDisconnected).await;
    assert_eq!(bed.service("web").await.running, 2, "a broken session alone ends nothing");
    bed.until_state("w1", pb::NodeState::NodeDown).await;
    let elsewhere = async || {
        let tasks = bed.tasks("web").await;
        tasks.iter().filter(|task| task.node_hostname == "w2" && task.status.as_ref().unwrap().state() == pb::TaskState::Running).count()
            == 2
    };
    bed.until("both run on w2", elsewhere).await;
}
