//! Committed entries, applied in order, and what follows from each.

use cluster_types::Object;

use super::{Manager, Role};
use crate::context::Context;
use crate::leader::Leader;

/// Applied entries after which a snapshot is made. Few, so that installing one is common.
const SNAPSHOT_EVERY: u64 = 500;

impl Manager {
    pub(super) fn commit_upto(&mut self, index: u64, context: &mut Context) {
        self.commit = self.commit.max(index);
        while self.applied < self.commit {
            let next = self.applied + 1;
            let Some(logged) = self.disk.log.get(next).cloned() else { return };
            self.applied = next;
            let entry = logged.entry.as_ref();
            let applied = entry.map(|entry| self.state.apply(next, entry));
            if applied.as_ref().is_some_and(|applied| applied.events.iter().any(|event| matches!(event.object, Object::Node(_)))) {
                self.nodes = self.state.view().node_count();
            }
            context.watch.applied(self.id, next, &logged, applied.as_ref(), &self.state);
            if let Some(applied) = applied {
                self.lead_on(next, applied, context);
            }
            self.begin_lead(context);
            if next - self.disk.log.base() >= SNAPSHOT_EVERY {
                self.snapshot();
            }
        }
    }

    /// The log begins anew after it: who lacks an entry before gets the snapshot.
    fn snapshot(&mut self) {
        self.disk.snapshot = self.state.clone();
        self.disk.encoded = None;
        self.disk.log.compact(self.applied);
    }

    /// An elected leader is ready when the mark of its term is applied: its state has all that was committed before.
    fn begin_lead(&mut self, context: &mut Context) {
        let Role::Leader { mark, .. } = self.role else { return };
        if self.leader.is_none() && self.applied >= mark {
            self.leads_count += 1;
            let view = self.state.view();
            if !cluster_types::bug!(TimeGoesBack) {
                self.clock.reach(view.time());
            }
            let now = self.now(context);
            let incarnation = view.cluster().map_or(0, |cluster| cluster.incarnation);
            self.leader = Some(Leader::new(self.leads_count, self.disk.term, incarnation, now));
            self.wake_decider(0, context);
        }
    }
}
