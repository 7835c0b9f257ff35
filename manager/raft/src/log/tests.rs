//! The log against a disk that tears, flips, fills up and fails.

mod faulty;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderIdExt;

use super::LogError;
use super::frame;
use super::recovery::recover;
use super::store::LogStore;
use crate::disk::Disk;
use crate::types::{LogEntry, LogId, Types, Vote};
use faulty::FaultyDisk;

const SEGMENT: u64 = 4 << 10;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(openraft::impls::leader_id_adv::LeaderId::new_committed(term, 1), index)
}

fn entry(term: u64, index: u64) -> LogEntry {
    LogEntry::new_blank(id(term, index))
}

fn open(disk: &FaultyDisk) -> Result<LogStore, LogError> {
    LogStore::open_with(Arc::new(disk.clone()), SEGMENT)
}

/// Appends and waits until it is durable.
async fn append(log: &mut LogStore, entries: Vec<LogEntry>) -> io::Result<()> {
    let (sender, flushed) = <Types>::oneshot();
    log.append(entries, IOFlushed::signal(sender)).await?;
    flushed.await.map_err(io::Error::other)?
}

async fn indexes(log: &mut LogStore) -> Vec<u64> {
    log.try_get_log_entries(..).await.expect("entries").iter().map(|entry| entry.log_id.index).collect()
}

/// A log of several segments: a vote, entries, one each a frame. Gives the disk as it is after each acknowledged step.
async fn written(steps: u64) -> (FaultyDisk, Vec<FaultyDisk>) {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    let mut after = Vec::new();
    log.save_vote(&Vote::new(1, 1)).await.expect("a vote");
    for index in 0..steps {
        append(&mut log, vec![entry(1, index)]).await.expect("an entry");
        after.push(disk.copy());
    }
    log.stop();
    (disk, after)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_cut_at_every_byte_after_it() {
    let (_, after) = written(12).await;
    for (acknowledged, pair) in after.windows(2).enumerate() {
        let (before, next) = (&pair[0], &pair[1]);
        // The write of one more entry is cut off at each of its bytes.
        for cut in before.cuts_towards(next) {
            let mut log = open(&cut).expect("a torn tail is dropped");
            let found = indexes(&mut log).await;
            let (least, most) = (0..=acknowledged as u64, 0..=acknowledged as u64 + 1);
            assert!(found.iter().copied().eq(least) || found.iter().copied().eq(most), "after {acknowledged}: {found:?}");
            assert_eq!(log.read_vote().await.expect("a vote"), Some(Vote::new(1, 1)));
            // It goes on, and a second recovery finds that, too.
            let next = found.len() as u64;
            append(&mut log, vec![entry(2, next)]).await.expect("an entry");
            log.stop();
            let mut again = open(&cut).expect("a sound log");
            assert_eq!(indexes(&mut again).await.len() as u64, next + 1);
            again.stop();
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_wrote_is_synced_before_it_counts() {
    let (disk, _) = written(3).await;
    let before = disk.syncs();
    open(&disk).expect("a sound log").stop();
    assert!(disk.syncs() > before, "what was read may be in the system's memory only");
    disk.fail_syncs(true);
    assert!(matches!(open(&disk).err(), Some(LogError::Io { .. })));
}

#[tokio::test]
async fn a_flipped_bit_before_the_last_frame_stops_the_manager() {
    let (disk, _) = written(12).await;
    let frames = disk.frames();
    assert!(frames.len() > 10, "the test needs frames to break");
    // Every frame but the last one, in each part of it: magic, sum, length, number, body.
    for (file, offset) in &frames[..frames.len() - 1] {
        for byte in [0, 5, 9, 13, frame::HEAD as u64 + 2] {
            let broken = disk.copy();
            broken.flip(file, offset + byte);
            let error = open(&broken).err().expect("it must not start");
            assert!(matches!(error, LogError::Damaged { .. } | LogError::Hole { .. }), "{file} at {offset}+{byte}: {error}");
        }
    }
}

#[tokio::test]
async fn a_missing_segment_stops_the_manager() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    for index in 0..400 {
        append(&mut log, vec![entry(1, index)]).await.expect("an entry");
    }
    log.stop();
    let segments = disk.segments();
    assert!(segments.len() >= 3, "{segments:?}");
    disk.remove(&segments[1]).expect("removed");
    assert!(matches!(open(&disk).err(), Some(LogError::Hole { .. })));
}

#[tokio::test]
async fn purged_segments_go_and_votes_stay() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    log.save_vote(&Vote::new(3, 1)).await.expect("a vote");
    for index in 0..300 {
        append(&mut log, vec![entry(3, index)]).await.expect("an entry");
    }
    let before = disk.segments().len();
    log.save_committed(Some(id(3, 299))).await.expect("a mark");
    log.purge(id(3, 290)).await.expect("purged");
    append(&mut log, vec![entry(3, 300)]).await.expect("an entry");
    log.stop();
    assert!(disk.segments().len() < before);
    let mut log = open(&disk).expect("a sound log");
    assert_eq!(indexes(&mut log).await, (291..=300).collect::<Vec<_>>());
    assert_eq!(log.read_vote().await.expect("a vote"), Some(Vote::new(3, 1)));
    assert_eq!(log.read_committed().await.expect("a mark"), Some(id(3, 299)));
    assert_eq!(log.get_log_state().await.expect("a state").last_purged_log_id, Some(id(3, 290)));
    log.stop();
}

#[tokio::test]
async fn entries_that_were_taken_back_stay_away() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    append(&mut log, (0..10).map(|index| entry(1, index)).collect()).await.expect("entries");
    log.truncate_after(Some(id(1, 4))).await.expect("taken back");
    append(&mut log, vec![entry(2, 5)]).await.expect("an entry");
    log.stop();
    let mut log = open(&disk).expect("a sound log");
    assert_eq!(indexes(&mut log).await, (0..=5).collect::<Vec<_>>());
    assert_eq!(log.get_log_state().await.expect("a state").last_log_id, Some(id(2, 5)));
    log.stop();
}

#[tokio::test]
async fn a_failed_sync_is_the_end_and_never_retried() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    append(&mut log, vec![entry(1, 0)]).await.expect("an entry");
    disk.fail_syncs(true);
    assert!(append(&mut log, vec![entry(1, 1)]).await.is_err());
    // The disk is well again, but what the failed sync left behind is not known.
    disk.fail_syncs(false);
    let syncs = disk.syncs();
    assert!(append(&mut log, vec![entry(1, 2)]).await.is_err());
    assert_eq!(disk.syncs(), syncs, "nothing was synced after the failure");
    log.stop();
    let mut log = open(&disk).expect("what is there is sound");
    assert_eq!(indexes(&mut log).await[0], 0);
    log.stop();
}

#[tokio::test]
async fn a_full_disk_is_told_before_it_hurts_and_all_goes_on_when_space_returns() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk).expect("an empty log");
    append(&mut log, vec![entry(1, 0)]).await.expect("an entry");
    let mut full = log.full();
    disk.set_room(0);
    let mut next = 1;
    // The reserve is used up at some point, and the next one cannot be made.
    while !*full.borrow() {
        append(&mut log, vec![entry(1, next)]).await.expect("there is room in what was reserved");
        next += 1;
        if disk.segments().len() > 2 {
            full.wait_for(|full| *full).await.expect("it runs");
        }
    }
    // What is under way still fits, and what does not waits.
    let (sender, flushed) = <Types>::oneshot();
    let many: Vec<_> = (next..next + 400).map(|index| entry(1, index)).collect();
    log.append(many, IOFlushed::signal(sender)).await.expect("taken");
    let mut flushed = Box::pin(flushed);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut flushed).await.is_err(), "it waits for room");
    disk.set_room(u64::MAX);
    flushed.await.expect("an answer").expect("written, without a restart");
    full.wait_for(|full| !*full).await.expect("it runs");
    log.stop();
    let mut log = open(&disk).expect("a sound log");
    assert_eq!(indexes(&mut log).await, (0..next + 400).collect::<Vec<_>>());
    log.stop();
}

#[test]
fn no_bytes_make_recovery_panic() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::default();
    let bytes = proptest::collection::vec(any::<u8>(), 0..600);
    runner
        .run(&bytes, |body| {
            let disk = FaultyDisk::default();
            let mut sealed = [frame::start(), body.clone()].concat();
            frame::seal(&mut sealed, 1);
            disk.put(&super::segment::name(1), [sealed, body].concat());
            let _ = recover(&disk);
            Ok(())
        })
        .expect("no panic");
}
