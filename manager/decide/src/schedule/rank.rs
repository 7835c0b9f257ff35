//! How good a node is for one more task of a service, among those that fit.
//!
//! In this order, each deciding only between nodes that the ones before hold equal:
//! 1. recent failures of the service there, once they are many: nothing helps a task on a node where it does not run;
//! 2. the spread preferences, level by level ([`super::spread`]), and 3. the affinities: what the user asked for in words ranks before what
//!    is only good practice. Otherwise three replicas with an affinity to two nodes with a fast disk would leave these for the third;
//! 4. the fewest tasks of the service: swarm's promise that a service is spread whatever else runs;
//! 5. the larger free share of what the task reserves: of the kinds that it reserves only, since a task that reserves nothing would not
//!    make the share smaller where it goes, and all such tasks would meet on one node;
//! 6. the fewest tasks in all; 7. the smallest id.
//!
//! With [`Ranking::Binpack`] the smaller free share comes first, then the most tasks in all, and the service's own tasks do not matter.
//!
//! Weights of affinities are summed and compare with each other alone: no number says how many tasks or CPUs a wish is worth.

use cluster_types::Ranking;

use super::demand::Demand;
use super::fleet::Room;
use super::standing::Standing;

/// A whole, in the parts that free shares are counted in.
pub(super) const WHOLE: u32 = 1_000;

/// What ranks a node but for its branches. The smallest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) malus: u32,
    /// Affinity, negative: more is better.
    wish: i32,
    own: u32,
    share: u32,
    tasks: u32,
    /// Its place in the fleet, which is that of its id.
    pub(super) index: u32,
}

impl Rank {
    /// Of a node as it is now.
    pub(super) fn of(demand: &Demand, room: &Room, standing: &Standing, index: u32) -> Self {
        let place = index as usize;
        let (own, share) = (standing.tasks[place], free_share(demand, room));
        let (own, share, tasks) = match demand.placement.ranking {
            Ranking::Spread => (own, WHOLE - share, room.tasks),
            Ranking::Binpack => (0, share, u32::MAX - room.tasks),
        };
        Self { malus: standing.malus(place), wish: -standing.affinity(place), own, share, tasks, index }
    }
}

/// How much is free of the kinds that the demand reserves: of the scarcer one, in thousandths of what the node has.
pub(super) fn free_share(demand: &Demand, room: &Room) -> u32 {
    let (needs, free, has) = (demand.reservation, room.free, room.node.description.capacity);
    let share = |needs: u64, free: u64, has: u64| {
        if needs == 0 { u64::from(WHOLE) } else { (free.saturating_mul(u64::from(WHOLE)) / has.max(1)).min(u64::from(WHOLE)) }
    };
    let scarcer = share(needs.nano_cpus, free.nano_cpus, has.nano_cpus).min(share(needs.memory, free.memory, has.memory));
    u32::try_from(scarcer).unwrap_or(WHOLE)
}
