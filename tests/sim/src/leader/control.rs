//! What clients ask for: turned into changes over the leader's view and proposed, all or nothing. As the control API of the manager.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_decide::{network, rebalance, validate};
use cluster_state::View;
use cluster_types::{
    Author, Change, Entry, EntryMode, IdStream, Meta, Network, NetworkId, NetworkSpec, Node, NodeDescription, NodeNetwork, NodeStatus,
    Object, ObjectKey, Service, ServiceSpec, ServiceStep, Timestamp,
};

use super::{Waits, answer};
use crate::client::{Answer, Origin, Request, Wish};
use crate::context::Context;
use crate::manager::Manager;

impl Manager {
    /// A client's request arrives.
    pub(crate) fn serve(&mut self, origin: Origin, request: &Request, context: &mut Context) {
        if self.leader.is_none() {
            return answer(origin, Answer::NotLeading(self.leads), context);
        }
        if !self.hears_majority(context.now) {
            return answer(origin, Answer::NotLeading(None), context);
        }
        let at = self.now(context);
        match changes(&self.state.view(), request, at) {
            Err(reason) => answer(origin, Answer::Refused(reason), context),
            Ok(changes) => {
                let entry = Entry { request: request.key, at, mode: EntryMode::Atomic, changes };
                match self.propose(entry, context) {
                    Some(index) => self.wait_for(index, Waits::Client(origin), context),
                    None => answer(origin, Answer::NotLeading(None), context),
                }
            }
        }
    }
}

fn author() -> Author {
    Author { by: "client".to_owned(), message: String::new() }
}

/// The changes that a wish means over a view, or why it cannot be.
fn changes(view: &View, request: &Request, now: Timestamp) -> Result<Vec<Change>, String> {
    let made = IdStream::new(0, request.key.bits());
    match &request.wish {
        Wish::Create(spec) => {
            let id = made.clone().next_id();
            if view.service(id).is_none() {
                let mut problems = validate::service(spec);
                problems.extend(validate::service_in(view, spec, None));
                problems.first().map_or(Ok(()), |problem| Err(problem.to_string()))?;
            }
            Ok(vec![Change::Create(Object::Service(Arc::new(Service::new(id, ServiceSpec::clone(spec), author()))))])
        }
        Wish::Update(name, edit) => {
            let service = view.service_by_name(name).ok_or("there is no such service")?;
            let mut next = Service::clone(service);
            edit.apply(Arc::make_mut(&mut next.spec));
            next.author = author();
            let mut problems = validate::update(&service.spec, &next.spec);
            problems.extend(validate::service_in(view, &next.spec, Some(service.id)));
            problems.first().map_or(Ok(()), |problem| Err(problem.to_string()))?;
            Ok(vec![Change::Update { object: Object::Service(Arc::new(next)), expect: service.meta.version }])
        }
        Wish::Remove(name) => {
            let id = view.service_by_name(name).map(|service| service.id);
            let id = id.or(view.request(request.key).map(|_| IdStream::new(0, 0).next_id())).ok_or("there is no such service")?;
            Ok(vec![Change::Remove { key: ObjectKey::Service(id), expect: None }])
        }
        Wish::RollBack(name) => {
            let service = view.service_by_name(name).ok_or("there is no such service")?;
            let before = service.history.iter().rev().nth(1).ok_or("it has one revision only")?;
            let step = ServiceStep::RollBack { from: service.spec_version, to: before.spec_version, author: author() };
            Ok(vec![Change::Service(service.id, step)])
        }
        Wish::Steer(name, steer) => {
            let service = view.service_by_name(name).ok_or("there is no such service")?;
            Ok(vec![Change::Service(service.id, ServiceStep::Steer(service.spec_version, *steer))])
        }
        Wish::CreateNetwork(spec) => create_network(view, made.clone().next_id(), spec),
        Wish::RemoveNetwork(name) => {
            let network = view.network_by_name(name).ok_or("there is no such network")?;
            Ok(vec![Change::Remove { key: ObjectKey::Network(network.id), expect: None }])
        }
        Wish::Node(id, edit) => {
            let node = view.node(*id).ok_or("there is no such node")?;
            let mut next = Node::clone(node);
            edit.apply(&mut next.spec, now);
            Ok(vec![Change::Update { object: Object::Node(Arc::new(next)), expect: node.meta.version }])
        }
        Wish::Rebalance => Ok(rebalance::plan(view, now, None).iter().map(rebalance::Move::change).collect()),
        Wish::RemoveNode(id) => Ok(vec![Change::Remove { key: ObjectKey::Node(*id), expect: None }]),
        Wish::Join(id, description) => {
            let node = Node {
                meta: Meta::default(),
                id: *id,
                spec: cluster_types::NodeSpec::default(),
                description: NodeDescription::clone(description),
                status: NodeStatus::default(),
                manager: None,
                number: None,
                network: NodeNetwork::default(),
            };
            Ok(vec![Change::Create(Object::Node(Arc::new(node)))])
        }
    }
}

fn create_network(view: &View, id: NetworkId, spec: &NetworkSpec) -> Result<Vec<Change>, String> {
    let subnet = match view.network(id) {
        Some(done) => done.subnet,
        None => network::subnet(view, spec).map_err(|problem| problem.to_string())?,
    };
    let network = Network { meta: Meta::default(), id, spec: spec.clone(), subnet, blocks: BTreeMap::new() };
    Ok(vec![Change::Create(Object::Network(Arc::new(network)))])
}
