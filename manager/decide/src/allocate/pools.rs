//! Free addresses of networks: which one a task or service gets, and which block its owner must claim for that first.
//!
//! Belongs to one pass. It looks at a network when it is first asked for an address there, and remembers what it has given since: what the
//! view says is in use stays so until the next pass. It never fails half: a task gets an address in each of its networks, or none.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{BlockOwner, Change, Network, NetworkId, NetworkStep, TaskAddress, bug};

/// Owners that are looked for one by one before all are.
const WALKS: usize = 4;

/// The networks that a pass has looked at, and the changes of their blocks that it needs, in order. These go before all that uses them.
#[derive(Default)]
pub(crate) struct Pools {
    networks: BTreeMap<NetworkId, Pool>,
    changes: Vec<Change>,
}

/// Why there is no address.
#[derive(Debug, Clone)]
pub(crate) enum Lack {
    /// The network is gone.
    Gone(NetworkId),
    /// All blocks are in use, and those of the asker are full.
    Spent(Arc<Network>),
}

/// One network.
struct Pool {
    network: Arc<Network>,
    /// The blocks that this pass claims or releases.
    changed: BTreeMap<u32, Option<BlockOwner>>,
    /// The blocks of owners, in order: of those that were asked for, or of all.
    owned: BTreeMap<BlockOwner, Vec<u32>>,
    knows_all: bool,
    /// The addresses in use, a bit for each, of the blocks that were looked at.
    used: BTreeMap<u32, u64>,
    /// All blocks before it have an owner.
    first_free: u32,
    /// Whether no block is to be had any more: that does not change within a pass.
    is_spent: bool,
}

/// An address that is free.
struct Choice {
    address: TaskAddress,
    block: u32,
    bit: u64,
    /// Whether the block is not yet the asker's.
    is_claimed: bool,
}

impl Pools {
    /// An address in each of the networks, out of blocks of the owner. `seed` says where the search begins: with that of an id, an address
    /// that was given back is not soon given to another.
    pub(crate) fn take(
        &mut self,
        view: &View,
        networks: impl IntoIterator<Item = NetworkId>,
        owner: BlockOwner,
        seed: u128,
    ) -> Result<Vec<TaskAddress>, Lack> {
        let mut choices: Vec<Choice> = Vec::new();
        for network in networks {
            if choices.iter().all(|choice| choice.address.network != network) {
                choices.push(self.pool(view, network)?.choose(view, owner, seed)?);
            }
        }
        choices.iter().for_each(|choice| self.commit(choice, owner));
        Ok(choices.into_iter().map(|choice| choice.address).collect())
    }

    /// Why an owner would get no addresses. It gives none.
    pub(crate) fn lack(&mut self, view: &View, networks: &[NetworkId], owner: BlockOwner) -> Option<Lack> {
        let choose = |network: &NetworkId| self.pool(view, *network)?.choose(view, owner, 0).map(drop);
        networks.iter().map(choose).find_map(Result::err)
    }

    /// Which of the networks does not exist.
    pub(crate) fn missing(view: &View, networks: &[NetworkId]) -> Option<Lack> {
        networks.iter().find(|network| view.network(**network).is_none()).map(|network| Lack::Gone(*network))
    }

    /// Gives back a block that is not in use.
    pub(crate) fn release(&mut self, view: &View, network: NetworkId, block: u32) {
        if let Ok(pool) = self.pool(view, network) {
            pool.free(block);
            self.changes.push(Change::Network(network, NetworkStep::Release(block)));
        }
    }

    /// The changes of blocks so far.
    pub(crate) fn drain(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn pool(&mut self, view: &View, id: NetworkId) -> Result<&mut Pool, Lack> {
        match self.networks.entry(id) {
            Entry::Occupied(pool) => Ok(pool.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Pool::new(view.network(id).ok_or(Lack::Gone(id))?))),
        }
    }

    fn commit(&mut self, choice: &Choice, owner: BlockOwner) {
        let (id, block) = (choice.address.network, choice.block);
        let Some(pool) = self.networks.get_mut(&id) else { return };
        if !choice.is_claimed {
            if pool.owner(block).is_some() {
                pool.free(block);
                self.changes.push(Change::Network(id, NetworkStep::Release(block)));
            }
            pool.claim(block, owner);
            self.changes.push(Change::Network(id, NetworkStep::Claim(block, owner)));
        }
        *pool.used.entry(block).or_default() |= choice.bit;
    }
}

impl Pool {
    fn new(network: &Arc<Network>) -> Self {
        let (changed, owned, used) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { network: Arc::clone(network), changed, owned, knows_all: false, used, first_free: 0, is_spent: false }
    }

    fn owner(&self, block: u32) -> Option<BlockOwner> {
        self.changed.get(&block).copied().unwrap_or_else(|| self.network.blocks.get(&block).copied())
    }

    /// All blocks that have an owner, in no order.
    fn blocks(&self) -> impl Iterator<Item = (u32, BlockOwner)> {
        let kept = self.network.blocks.iter().filter(|(block, _)| !self.changed.contains_key(block)).map(|(block, owner)| (*block, *owner));
        kept.chain(self.changed.iter().filter_map(|(block, owner)| Some((*block, (*owner)?))))
    }

    /// The blocks of an owner, in order. One walk finds those of one owner, and when several have been asked for, those of all.
    fn owned(&mut self, owner: BlockOwner) -> &mut Vec<u32> {
        if !self.knows_all && !self.owned.contains_key(&owner) {
            self.knows_all = self.owned.len() >= WALKS;
            let mut found: BTreeMap<BlockOwner, Vec<u32>> = BTreeMap::new();
            for (block, has) in self.blocks().filter(|(_, has)| self.knows_all || *has == owner) {
                found.entry(has).or_default().push(block);
            }
            found.values_mut().for_each(|blocks| blocks.sort_unstable());
            self.owned.extend(found);
        }
        self.owned.entry(owner).or_default()
    }

    /// A free address in a block of the owner, or in one that it is to claim.
    fn choose(&mut self, view: &View, owner: BlockOwner, seed: u128) -> Result<Choice, Lack> {
        let own = self.owned(owner).len();
        let start = part(seed >> 64, own);
        for turn in 0..own {
            let block = self.owned(owner)[(start + turn) % own];
            if let Some(choice) = self.free_address(view, block, seed, true) {
                return Ok(choice);
            }
        }
        let block = self.spare(view, owner);
        let choice = block.and_then(|block| self.free_address(view, block, seed, false));
        choice.ok_or_else(|| Lack::Spent(Arc::clone(&self.network)))
    }

    fn free_address(&mut self, view: &View, number: u32, seed: u128, is_claimed: bool) -> Option<Choice> {
        let block = self.network.block(number)?;
        let (used, size) = (self.used(view, number), block.size());
        let start = part(seed, usize::try_from(size).unwrap_or(1)) as u64;
        let index = (0..size).map(|turn| (start + turn) % size).find(|index| used & (1 << index) == 0)?;
        let address = TaskAddress { network: self.network.id, address: block.address(index)? };
        Some(Choice { address, block: number, bit: 1 << index, is_claimed })
    }

    /// The addresses of a block that are in use. A block has 64 at most.
    fn used(&mut self, view: &View, number: u32) -> u64 {
        if let Some(used) = self.used.get(&number) {
            return *used;
        }
        let Some(block) = self.network.block(number) else { return u64::MAX };
        let indexes = view.addresses_within(block).filter_map(|(address, _)| block.index(address));
        let used = if bug!(AddressTwice) { 0 } else { indexes.fold(0, |used, index| used | (1 << index)) };
        self.used.insert(number, used);
        used
    }

    /// A block that nobody has, or that its owner does not use: of a node that is gone, then of an owner that has others, then of any that
    /// can be reached.
    fn spare(&mut self, view: &View, asker: BlockOwner) -> Option<u32> {
        let count = u32::try_from(self.network.block_count()).unwrap_or(u32::MAX);
        while self.first_free < count && self.owner(self.first_free).is_some() {
            self.first_free += 1;
        }
        if self.first_free < count {
            return Some(self.first_free);
        }
        if self.is_spent {
            return None;
        }
        let mut owned: Vec<(u32, BlockOwner)> = self.blocks().filter(|(_, owner)| *owner != asker).collect();
        owned.retain(|(block, _)| self.used(view, *block) == 0);
        let idle = owned.into_iter().min_by_key(|(block, owner)| (self.worth(view, *owner), *block));
        self.is_spent = idle.is_none();
        idle.map(|(block, _)| block)
    }

    /// How much an owner is hurt by the loss of an idle block.
    fn worth(&mut self, view: &View, owner: BlockOwner) -> u8 {
        let is_gone = matches!(owner, BlockOwner::Node(node) if view.node(node).is_none());
        if is_gone { 0 } else { 2 - u8::from(self.owned(owner).len() > 1) }
    }

    fn claim(&mut self, block: u32, owner: BlockOwner) {
        let owned = self.owned(owner);
        owned.insert(owned.partition_point(|other| *other < block), block);
        self.changed.insert(block, Some(owner));
    }

    fn free(&mut self, block: u32) {
        if let Some(owner) = self.owner(block) {
            self.owned(owner).retain(|owned| *owned != block);
            self.changed.insert(block, None);
        }
        self.first_free = self.first_free.min(block);
        self.is_spent = false;
    }
}

/// Where in `count` places a search begins.
fn part(seed: u128, count: usize) -> usize {
    usize::try_from(seed % u128::try_from(count.max(1)).unwrap_or(1)).unwrap_or(0)
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(network) => write!(f, "network {network} does not exist any more"),
            Self::Spent(network) => {
                let (name, subnet, blocks) = (&network.spec.name, network.subnet, network.block_count());
                let size = subnet.size() / blocks.max(1);
                write!(f, "network {name} ({subnet}) has no free address: all of its {blocks} blocks of {size} are in use")
            }
        }
    }
}
