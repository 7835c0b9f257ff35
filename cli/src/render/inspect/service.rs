//! A service as `docker service inspect` prints it.

use std::net::Ipv4Addr;

use cluster_types::{JobRun, JobStatus, NetworkId, PublishMode, Revision, UpdateStatus};
use serde_json::{Map, Value, json};

use super::{head, put, spec};
use crate::model::ServiceView;
use crate::render::age::rfc3339;

impl ServiceView {
    /// The whole service.
    pub(crate) fn inspect(&self) -> Value {
        let service = &self.service;
        let mut object = head(&service.id.to_string(), &service.meta);
        object.insert("Spec".to_owned(), spec::service(&service.spec));
        object.insert("Endpoint".to_owned(), self.endpoint());
        object.insert("ServiceStatus".to_owned(), json!({ "RunningTasks": self.running, "DesiredTasks": self.goal() }));
        if let Some(update) = &service.update {
            object.insert("UpdateStatus".to_owned(), status(update));
        }
        if let Some(of) = &service.job {
            object.insert("JobStatus".to_owned(), job(of));
        }
        object.insert("SpecVersion".to_owned(), json!({ "Index": service.spec_version.0 }));
        put(&mut object, "History", service.history.iter().map(|of| revision(of, self.images.get(&of.spec_version))).collect());
        Value::Object(object)
    }

    /// What it was given. Ports of its tasks' hosts alone are as the spec wants them: each host may have another number.
    fn endpoint(&self) -> Value {
        let (spec, has) = (&self.service.spec, &self.service.endpoint);
        let hosts = spec.ports.iter().filter(|port| port.mode == PublishMode::Host);
        let ports: Vec<_> = has.ports.iter().chain(hosts).copied().collect();
        let mut object = Map::new();
        object.insert("Spec".to_owned(), spec::endpoint(spec));
        put(&mut object, "Ports", spec::ports(&ports));
        put(&mut object, "VirtualIPs", has.vips.iter().map(address).collect());
        put(&mut object, "Error", json!(has.error));
        put(&mut object, "Conflicts", json!(self.conflicts));
        Value::Object(object)
    }
}

/// Docker writes addresses with a prefix; here each is routed alone.
fn address((network, address): (&NetworkId, &Ipv4Addr)) -> Value {
    json!({ "NetworkID": network.to_string(), "Addr": format!("{address}/32") })
}

fn status(update: &UpdateStatus) -> Value {
    let mut object = Map::new();
    put(&mut object, "State", json!(update.state.word()));
    put(&mut object, "StartedAt", json!(rfc3339(update.started)));
    put(&mut object, "CompletedAt", json!(update.completed.map(rfc3339)));
    put(&mut object, "Message", json!(update.message));
    put(&mut object, "Places", json!(update.places));
    put(&mut object, "Failed", json!(update.failed));
    Value::Object(object)
}

fn job(job: &JobStatus) -> Value {
    let mut object = Map::new();
    object.insert("JobIteration".to_owned(), json!({ "Index": job.iteration }));
    put(&mut object, "LastExecution", json!((job.iteration > 0).then(|| rfc3339(job.started))));
    put(&mut object, "EndedAt", json!(job.ended.map(rfc3339)));
    put(&mut object, "NextExecution", json!(job.next.map(rfc3339)));
    put(&mut object, "Runs", job.runs.iter().map(run).collect());
    Value::Object(object)
}

fn run(run: &JobRun) -> Value {
    json!({
        "JobIteration": run.iteration,
        "StartedAt": rfc3339(run.started),
        "EndedAt": rfc3339(run.ended),
        "Completed": run.completed,
        "Wanted": run.wanted,
        "Outcome": run.outcome,
    })
}

fn revision(revision: &Revision, image: Option<&String>) -> Value {
    let mut object = Map::new();
    put(&mut object, "Revision", json!(revision.number));
    put(&mut object, "SpecVersion", json!(revision.spec_version.0));
    put(&mut object, "CreatedAt", json!(rfc3339(revision.at)));
    put(&mut object, "By", json!(revision.author.by));
    put(&mut object, "Image", json!(image));
    put(&mut object, "Message", json!(revision.author.message));
    put(&mut object, "Restores", json!(revision.restores));
    Value::Object(object)
}
