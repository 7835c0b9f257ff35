//! The control API: references, errors, versions, idempotency, pages.

use cluster_api::status::{ApiError, code};
use cluster_api::{Kind, pb};

use crate::testbed::{Bed, spec};

fn create(name: &str, request_id: &str) -> pb::CreateServiceRequest {
    pb::CreateServiceRequest { spec: Some(spec(name, 1)), request_id: request_id.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_what_is_wrong() {
    let bed = Bed::new().await;
    let mut control = bed.control.clone();
    let mut bad = spec("Not A Name", 1);
    bad.task.as_mut().unwrap().container.as_mut().unwrap().image = String::new();
    let refused = control.create_service(pb::CreateServiceRequest { spec: Some(bad), ..Default::default() }).await.unwrap_err();
    let error = ApiError::from(refused);
    let mut fields: Vec<&str> = error.fields.iter().map(|field| field.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!((error.kind, fields), (Kind::Invalid, vec!["spec.name", "spec.task.container.image"]));

    bed.create("web", 1).await;
    let error = ApiError::from(control.create_service(create("web", "")).await.unwrap_err());
    assert_eq!((error.kind, error.code.as_str()), (Kind::Conflict, code::NAME_TAKEN));

    let missing = pb::RemoveServiceRequest { reference: "nothing".into(), ..Default::default() };
    assert_eq!(ApiError::from(control.remove_service(missing).await.unwrap_err()).kind, Kind::NotFound);
    let nothing = pb::CreateServiceRequest::default();
    assert_eq!(ApiError::from(control.create_service(nothing).await.unwrap_err()).fields[0].field, "spec");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_request_is_applied_once() {
    let bed = Bed::new().await;
    let mut control = bed.control.clone();
    let first = control.create_service(create("web", "key")).await.unwrap().into_inner().service.unwrap();
    let second = control.create_service(create("web", "key")).await.unwrap().into_inner().service.unwrap();
    assert_eq!(first.id, second.id);

    let update = |expect, replicas, request_id: &str| pb::UpdateServiceRequest {
        reference: "web".into(),
        expect,
        spec: Some(spec("web", replicas)),
        request_id: request_id.into(),
        ..Default::default()
    };
    // What it is given makes another version of it.
    bed.until("it has an address", async || !bed.service("web").await.endpoint.unwrap().vips.is_empty()).await;
    let version = bed.service("web").await.meta.unwrap().version;
    let updated = control.update_service(update(version, 4, "a")).await.unwrap().into_inner().service.unwrap();
    let again = control.update_service(update(version, 4, "a")).await.unwrap().into_inner().service.unwrap();
    assert_eq!((updated.wanted, again.wanted, again.spec_version), (4, 4, updated.spec_version));
    let stale = ApiError::from(control.update_service(update(version, 7, "b")).await.unwrap_err());
    assert_eq!((stale.kind, stale.code.as_str()), (Kind::Conflict, code::CHANGED));

    let remove = pb::RemoveServiceRequest { reference: first.id.clone(), request_id: "c".into() };
    control.remove_service(remove.clone()).await.unwrap();
    assert_eq!(control.remove_service(remove).await.unwrap().into_inner().id, first.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_found_by_id_prefix_and_name() {
    let bed = Bed::new().await;
    let service = bed.create("web", 2).await;
    let node = bed.node("m1").await;
    assert_eq!(bed.service(&service.id[..8]).await.id, service.id);
    assert_eq!(bed.node(&node.id).await.id, node.id);
    assert!(node.leader && node.reachable);
    bed.until("the tasks are made", async || bed.tasks("web").await.len() == 2).await;
    let list = |reference: String| pb::ListTasksRequest { reference, ..Default::default() };
    let found = bed.control.clone().list_tasks(list("web.2".into())).await.unwrap().into_inner().tasks;
    assert_eq!(found.iter().map(|task| task.slot).collect::<Vec<_>>(), [2]);
    bed.join("twin").await;
    bed.join("twin").await;
    let request = pb::ListNodesRequest { reference: "twin".into(), ..Default::default() };
    let error = ApiError::from(bed.control.clone().list_nodes(request).await.unwrap_err());
    assert_eq!(error.code, code::AMBIGUOUS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_in_pages() {
    let bed = Bed::new().await;
    bed.create("web", 1_200).await;
    bed.until("all tasks are made", async || {
        let cluster = bed.control.clone().get_cluster(pb::GetClusterRequest {}).await.unwrap().into_inner();
        cluster.tasks == 1_200
    })
    .await;
    let (mut ids, mut pages, mut page_token) = (Vec::new(), 0, String::new());
    loop {
        let request = pb::ListTasksRequest { service: "web".into(), page_token, ..Default::default() };
        let page = bed.control.clone().list_tasks(request).await.unwrap().into_inner();
        ids.extend(page.tasks.into_iter().map(|task| task.id));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(pages >= 3 && ids.is_sorted(), "{pages} pages");
    ids.dedup();
    assert_eq!(ids.len(), 1_200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_labels_and_availability_change() {
    let bed = Bed::new().await;
    bed.join("w1").await;
    let request = pb::UpdateNodeRequest {
        reference: "w1".into(),
        availability: Some(pb::Availability::Drain.into()),
        labels_set: [("zone".to_owned(), "a".to_owned())].into(),
        ..Default::default()
    };
    let node = bed.control.clone().update_node(request).await.unwrap().into_inner().node.unwrap();
    let spec = node.spec.unwrap();
    assert_eq!((spec.availability(), spec.labels["zone"].as_str()), (pb::Availability::Drain, "a"));
    let bad = pb::UpdateNodeRequest {
        reference: "w1".into(),
        labels_set: [("white space".to_owned(), String::new())].into(),
        ..Default::default()
    };
    let error = ApiError::from(bed.control.clone().update_node(bad).await.unwrap_err());
    assert_eq!(error.fields[0].field, "labels");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_updates_that_name_no_version_do_not_get_in_each_others_way() {
    let bed = Bed::new().await;
    bed.join("w1").await;
    let add = |number: usize| {
        let labels_set = [(format!("l{number}"), String::new())].into();
        pb::UpdateNodeRequest { reference: "w1".into(), labels_set, request_id: format!("add {number}"), ..Default::default() }
    };
    let updates = (0..6).map(|number| {
        let (mut control, request) = (bed.control.clone(), add(number));
        tokio::spawn(async move { control.update_node(request).await })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap().unwrap();
    }
    let spec = bed.node("w1").await.spec.unwrap();
    assert_eq!(spec.labels.len(), 6, "{spec:?}");
    let stale = pb::UpdateNodeRequest { expect: 1, ..add(9) };
    assert_eq!(ApiError::from(bed.control.clone().update_node(stale).await.unwrap_err()).code, code::CHANGED);
}
