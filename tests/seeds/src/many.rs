//! Many lives at once, one thread for each processor.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::report::Report;
use crate::table::Table;

/// Lives seeds, each as `live` does.
pub(crate) fn many(seeds: Range<u64>, live: impl Fn(u64) -> Report + Sync) -> Table {
    let table = Mutex::new(Table::default());
    share(seeds, |seed| {
        let report = live(seed);
        table.lock().unwrap_or_else(PoisonError::into_inner).add(report);
    });
    table.into_inner().unwrap_or_default()
}

/// Each thread takes one after the other, until there is none left.
pub(crate) fn share<T>(items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let items = Mutex::new(items);
    let next = || items.lock().ok()?.next();
    let worker = || {
        while let Some(item) = next() {
            work(item);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
}
