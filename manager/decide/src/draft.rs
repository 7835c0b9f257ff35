//! The view as it will be once the plan so far is applied: what the steps of a pass read and write.
//!
//! Holds only what differs from the view. Steps on a task that the same pass creates are folded into its creation, so that a new task that
//! finds its node at once costs one change. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{
    Author, Change, DesiredState, IdStream, Meta, Node, NodeId, NodeStep, Object, ObjectKey, Service, ServiceId, ServiceSpec, ServiceStep,
    Task, TaskAddress, TaskId, TaskState, TaskStatus, TaskStep, Timestamp, UpdateStatus, Version,
};

use crate::allocate::pools::Pools;
use crate::slots::Slots;
use crate::{Dirty, Note, Plan};

/// A plan in the making.
pub(crate) struct Draft<'a> {
    /// What the pass started from.
    pub(crate) view: &'a View,
    /// The time of the pass.
    pub(crate) now: Timestamp,
    dirty: &'a Dirty,
    chance: IdStream,
    ids: BTreeMap<ServiceId, IdStream>,
    nodes: BTreeMap<NodeId, Arc<Node>>,
    services: BTreeMap<ServiceId, Arc<Service>>,
    /// Changed and new tasks; `None` for one that is removed.
    tasks: BTreeMap<TaskId, Option<Arc<Task>>>,
    created: BTreeMap<ServiceId, Vec<TaskId>>,
    slots: BTreeMap<ServiceId, Rc<Slots>>,
    pools: Pools,
    /// Changes of blocks: what uses an address may be a step that was taken before.
    blocks: Vec<Change>,
    steps: Vec<Step>,
    notes: Vec<Note>,
    wake_at: Option<Timestamp>,
    touched_nodes: BTreeSet<NodeId>,
    touched_services: BTreeSet<ServiceId>,
    carry: Dirty,
}

/// One change of the plan. A creation is looked up at the end: later steps are folded into it.
enum Step {
    Create(TaskId),
    Change(Box<Change>),
}

/// What a decider says of a task that it makes; the rest is the service's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTask {
    pub(crate) slot: u64,
    pub(crate) node: Option<NodeId>,
    pub(crate) desired: DesiredState,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) failures: u32,
    pub(crate) iteration: u64,
}

impl NewTask {
    /// One that may run at once.
    pub(crate) fn running() -> Self {
        Self { slot: 0, node: None, desired: DesiredState::Running, not_before: None, failures: 0, iteration: 0 }
    }
}

impl<'a> Draft<'a> {
    pub(crate) fn new(view: &'a View, now: Timestamp, seed: u64, dirty: &'a Dirty) -> Self {
        Self {
            view,
            now,
            dirty,
            chance: IdStream::new(seed, u128::from(view.index().0)),
            ids: BTreeMap::new(),
            nodes: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            created: BTreeMap::new(),
            slots: if dirty.all { gather(view) } else { BTreeMap::new() },
            pools: Pools::default(),
            blocks: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            wake_at: None,
            touched_nodes: BTreeSet::new(),
            touched_services: BTreeSet::new(),
            carry: Dirty::default(),
        }
    }

    /// The plan.
    pub(crate) fn finish(self) -> Plan {
        let tasks = &self.tasks;
        let create = |id: TaskId| Some(Change::Create(Object::Task(Arc::clone(tasks.get(&id)?.as_ref()?))));
        let steps = self.steps.into_iter().filter_map(|step| match step {
            Step::Create(id) => create(id),
            Step::Change(change) => Some(*change),
        });
        Plan { changes: self.blocks.into_iter().chain(steps).collect(), wake_at: self.wake_at, notes: self.notes, carry: self.carry }
    }

    // What there is.

    pub(crate) fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.get(&id).or_else(|| self.view.node(id))
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.view.nodes().map(|node| self.nodes.get(&node.id).unwrap_or(node))
    }

    pub(crate) fn service(&self, id: ServiceId) -> Option<Arc<Service>> {
        self.services.get(&id).or_else(|| self.view.service(id)).cloned()
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.view.services().map(|service| self.services.get(&service.id).unwrap_or(service))
    }

    pub(crate) fn spec_of(&self, task: &Task) -> Option<&Arc<ServiceSpec>> {
        self.view.spec_of(task)
    }

    pub(crate) fn task(&self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.get(&id).map_or_else(|| self.view.task(id).cloned(), Option::clone)
    }

    fn now_is(&self, task: &Arc<Task>) -> Option<Arc<Task>> {
        self.tasks.get(&task.id).map_or_else(|| Some(Arc::clone(task)), Option::clone)
    }

    /// The tasks of a service by place, ended ones included. Kept until something of the service changes.
    pub(crate) fn slots(&mut self, service: ServiceId) -> Rc<Slots> {
        if let Some(slots) = self.slots.get(&service) {
            return Rc::clone(slots);
        }
        let slots = Rc::new(Slots::new(self.tasks_of(service)));
        self.slots.insert(service, Rc::clone(&slots));
        slots
    }

    pub(crate) fn tasks_of(&self, service: ServiceId) -> Vec<Arc<Task>> {
        if !self.touched_services.contains(&service) {
            return self.view.tasks_of_service(service).cloned().collect();
        }
        let created = self.created.get(&service).into_iter().flatten().filter_map(|id| self.tasks.get(id).cloned().flatten());
        self.view.tasks_of_service(service).filter_map(|task| self.now_is(task)).chain(created).collect()
    }

    /// The tasks that the view has on a node, ended ones included. What this pass places there is not among them.
    pub(crate) fn tasks_on(&self, node: NodeId) -> Vec<Arc<Task>> {
        self.view.tasks_on_node(node).filter_map(|task| self.now_is(task)).collect()
    }

    // What is to be looked at.

    /// Whether this pass changes that task already.
    pub(crate) fn changes(&self, task: TaskId) -> bool {
        self.tasks.contains_key(&task)
    }

    /// Whether this is a full pass.
    pub(crate) fn is_full(&self) -> bool {
        self.dirty.all
    }

    /// The services to look at, gone ones that left tasks included.
    pub(crate) fn services_due(&self) -> BTreeSet<ServiceId> {
        let mut due: BTreeSet<ServiceId> = self.dirty.services.union(&self.touched_services).copied().collect();
        if self.is_full() {
            due.extend(self.view.services().map(|service| service.id));
            due.extend(self.view.services_of_tasks());
        }
        due
    }

    /// The nodes to look at, gone ones that left tasks included.
    pub(crate) fn nodes_due(&self) -> BTreeSet<NodeId> {
        let mut due: BTreeSet<NodeId> = self.dirty.nodes.union(&self.touched_nodes).copied().collect();
        if self.is_full() {
            due.extend(self.view.nodes().map(|node| node.id));
            due.extend(self.view.nodes_of_tasks());
        }
        due
    }

    /// The services whose endpoint is to be looked at: also those that lacked something.
    pub(crate) fn endpoints_due(&self) -> BTreeSet<ServiceId> {
        self.services_due().union(&self.dirty.lacking).copied().collect()
    }

    /// The nodes that may need a number.
    pub(crate) fn numbers_due(&self) -> BTreeSet<NodeId> {
        self.nodes_due().union(&self.dirty.unnumbered).copied().collect()
    }

    /// The addresses that were given back; not known in a full pass.
    pub(crate) fn freed(&self) -> &BTreeSet<TaskAddress> {
        &self.dirty.freed
    }

    /// Services whose tasks found no room before, to be looked at when what is free changes. Otherwise they stay on the list.
    pub(crate) fn starved_due(&mut self, room_changes: bool) -> BTreeSet<ServiceId> {
        if room_changes || self.is_full() || self.dirty.room || !self.touched_nodes.is_empty() {
            return self.dirty.starved.clone();
        }
        self.carry.starved.extend(&self.dirty.starved);
        BTreeSet::new()
    }

    /// A service must be looked at by the later steps, though it did not change.
    pub(crate) fn touch(&mut self, service: ServiceId) {
        self.touched_services.insert(service);
        self.slots.remove(&service);
    }

    // What is decided.

    /// Look again at that time, at this service.
    pub(crate) fn wake(&mut self, at: Timestamp, service: ServiceId) {
        self.carry.services.insert(service);
        self.wake_any(at);
    }

    /// Look again at that time, at this node.
    pub(crate) fn wake_node(&mut self, at: Timestamp, node: NodeId) {
        self.carry.nodes.insert(node);
        self.wake_any(at);
    }

    /// Look again at that time.
    pub(crate) fn wake_any(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Services that want room, whether what is free changed or not. They stay on the list only if they are put there again.
    pub(crate) fn starved(&self) -> &BTreeSet<ServiceId> {
        &self.dirty.starved
    }

    /// A task of this service found no room.
    pub(crate) fn starve(&mut self, service: ServiceId) {
        self.carry.starved.insert(service);
    }

    /// A service lacks an address or a port.
    pub(crate) fn lack(&mut self, service: ServiceId) {
        self.carry.lacking.insert(service);
    }

    /// A node found no number. Whether that is news.
    pub(crate) fn wait_for_number(&mut self, node: NodeId) -> bool {
        self.carry.unnumbered.insert(node) && !self.dirty.unnumbered.contains(&node)
    }

    /// Lets a step give addresses; the blocks that it claims for them go into the plan.
    pub(crate) fn with_pools(&mut self, give: impl FnOnce(&mut Self, &mut Pools)) {
        let mut pools = std::mem::take(&mut self.pools);
        give(self, &mut pools);
        pools.drain().into_iter().for_each(|change| self.push(change));
        self.pools = pools;
    }

    /// Words for the log.
    pub(crate) fn note(&mut self, about: ObjectKey, text: String) {
        self.notes.push(Note { about, text });
    }

    /// 64 bits of chance, for jitter only.
    pub(crate) fn chance(&mut self) -> u64 {
        self.chance.word()
    }

    /// A new task of the service's current spec.
    pub(crate) fn create(&mut self, service: &Service, new: NewTask) {
        self.create_of(service, service.spec_version, new);
    }

    /// A new task of a spec of the service that one of its tasks names.
    pub(crate) fn create_of(&mut self, service: &Service, spec_version: Version, new: NewTask) {
        let index = self.view.index().0;
        let ids = self.ids.entry(service.id).or_insert_with(|| IdStream::new(index, service.id.bits()));
        let task = Task {
            meta: Meta { version: self.view.index(), created: self.now, updated: self.now },
            node: new.node,
            desired: new.desired,
            status: TaskStatus { at: self.now, message: "made".to_owned(), ..TaskStatus::default() },
            not_before: new.not_before,
            failures: new.failures,
            iteration: new.iteration,
            ..Task::new(ids.next_id(), service.id, spec_version, new.slot)
        };
        self.push(Change::Create(Object::Task(Arc::new(task))));
    }

    /// The task is no longer wanted; its record stays as history. One that no node knows of leaves nothing to remember.
    pub(crate) fn stop(&mut self, task: &Task) {
        let desired = if task.status.state < TaskState::Assigned { DesiredState::Remove } else { DesiredState::Shutdown };
        self.desire(task, desired);
    }

    /// The managers want more of a task. Nothing when they do already.
    pub(crate) fn desire(&mut self, task: &Task, desired: DesiredState) {
        if task.desired < desired {
            self.push(Change::Task(task.id, TaskStep::Desire(desired)));
        }
    }

    /// A rollout's status.
    pub(crate) fn update(&mut self, service: ServiceId, status: UpdateStatus) {
        self.push(Change::Service(service, ServiceStep::Update(status)));
    }

    /// A service goes back to an earlier spec. What is left of this pass does not see that.
    pub(crate) fn roll_back(&mut self, service: &Service, to: Version, author: Author) {
        self.push(Change::Service(service.id, ServiceStep::RollBack { from: service.spec_version, to, author }));
    }

    /// Takes a change into the plan and shows it to the later steps.
    pub(crate) fn push(&mut self, change: Change) {
        match &change {
            Change::Create(Object::Task(task)) => return self.push_new(Arc::clone(task)),
            Change::Task(id, step) => {
                if self.step_task(*id, step) {
                    return;
                }
            }
            Change::Node(id, step) => self.step_node(*id, step),
            Change::Service(id, step) => self.step_service(*id, step),
            Change::Remove { key: ObjectKey::Task(id), .. } => {
                if let Some(task) = self.view.task(*id) {
                    self.touch(task.service);
                }
                self.tasks.insert(*id, None);
            }
            Change::Network(..) => return self.blocks.push(change),
            // Users' changes: no decider makes them.
            Change::Create(_) | Change::Update { .. } | Change::Remove { .. } => {}
        }
        self.steps.push(Step::Change(Box::new(change)));
    }

    fn push_new(&mut self, task: Arc<Task>) {
        self.touch(task.service);
        self.carry.services.insert(task.service);
        self.created.entry(task.service).or_default().push(task.id);
        self.steps.push(Step::Create(task.id));
        self.tasks.insert(task.id, Some(task));
    }

    /// Applies a step to the draft's task. Whether that is all: the task is of this pass.
    fn step_task(&mut self, id: TaskId, step: &TaskStep) -> bool {
        let is_new = self.view.task(id).is_none();
        let Some(task) = self.task(id) else { return false };
        self.touch(task.service);
        // A step that is refused has no event.
        self.carry.services.insert(task.service);
        let mut next = Task::clone(&task);
        next.meta.updated = self.now;
        apply_step(&mut next, step, self.now);
        let dropped = is_new && !next.is_wanted();
        self.tasks.insert(id, (!dropped).then(|| Arc::new(next)));
        is_new
    }

    fn step_node(&mut self, id: NodeId, step: &NodeStep) {
        let Some(node) = self.node(id) else { return };
        let mut next = Node::clone(node);
        match step {
            NodeStep::Describe(description) => next.description = description.clone(),
            NodeStep::Status(status) => next.status = status.clone(),
            NodeStep::Seat(seat) => next.manager = seat.clone(),
            NodeStep::Number(number) => next.number = Some(*number),
            NodeStep::Network(network) => next.network = network.clone(),
        }
        self.nodes.insert(id, Arc::new(next));
        self.touched_nodes.insert(id);
    }

    fn step_service(&mut self, id: ServiceId, step: &ServiceStep) {
        let Some(service) = self.service(id) else { return };
        let mut next = Service::clone(&service);
        match step {
            ServiceStep::Update(status) => next.update = Some(status.clone()),
            ServiceStep::Endpoint(endpoint) => next.endpoint = endpoint.clone(),
            ServiceStep::Job(job) => next.job = Some(job.clone()),
            // The spec changes with the next pass; what is left of this one must not build on it.
            ServiceStep::RollBack { .. } | ServiceStep::Steer(..) => {}
        }
        self.services.insert(id, Arc::new(next));
        self.touch(id);
    }
}

/// The tasks of all services. One walk over all tasks is cheaper than looking each up.
fn gather(view: &View) -> BTreeMap<ServiceId, Rc<Slots>> {
    let mut tasks: BTreeMap<ServiceId, Vec<Arc<Task>>> = BTreeMap::new();
    for task in view.tasks() {
        tasks.entry(task.service).or_default().push(Arc::clone(task));
    }
    tasks.into_iter().map(|(service, tasks)| (service, Rc::new(Slots::new(tasks)))).collect()
}

/// What the state will make of a step that it accepts.
fn apply_step(task: &mut Task, step: &TaskStep, now: Timestamp) {
    let status = |state, message: &str, error| TaskStatus { state, at: now, message: message.to_owned(), error, ..TaskStatus::default() };
    match step {
        TaskStep::Assign(node, addresses, generic) => {
            task.generic.clone_from(generic);
            task.node = Some(*node);
            task.addresses = addresses.clone();
            task.status = status(TaskState::Assigned, "has a node", None);
        }
        TaskStep::Explain(error) => task.status = status(TaskState::Pending, "waits for a node", Some(error.clone())),
        TaskStep::Desire(desired) => {
            task.desired = *desired;
            task.not_before = task.not_before.filter(|_| *desired == DesiredState::Ready);
        }
        TaskStep::Due => (task.desired, task.not_before) = (DesiredState::Running, None),
        TaskStep::Report(_, reported) => task.status = reported.clone(),
        TaskStep::Orphan => task.status.state = TaskState::Orphaned,
        TaskStep::Relocate(relocate) => task.relocate = *relocate,
    }
}
