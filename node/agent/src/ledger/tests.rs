//! The ledger against torn tails, flipped bits and writes that fail.

use std::fs;
use std::sync::Arc;

use cluster_task::TaskMemory;
use cluster_types::{DesiredState, ServiceId, TaskAssignment, TaskId, TaskSpec, TaskState};
use proptest::prelude::*;

use super::*;

fn assigned(number: u128) -> Record {
    Record::Assigned(Arc::new(TaskAssignment {
        task: TaskId::from_bits(number),
        service: ServiceId::from_bits(1),
        service_name: "web".to_owned(),
        slot: 1,
        desired: DesiredState::Running,
        spec: Arc::new(TaskSpec::default()),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    }))
}

fn remembered(number: u128, state: TaskState) -> Record {
    let mut memory = TaskMemory::default();
    memory.status.state = state;
    Record::Remembered(TaskId::from_bits(number), Box::new(memory))
}

fn record() -> impl Strategy<Value = Record> {
    let task = || 0_u128..4;
    prop_oneof![
        task().prop_map(assigned),
        (task(), prop::sample::select(TaskState::ALL.to_vec())).prop_map(|(number, state)| remembered(number, state)),
        task().prop_map(|number| Record::Unassigned(TaskId::from_bits(number))),
        task().prop_map(|number| Record::Forgotten(TaskId::from_bits(number))),
        prop::collection::vec("[a-z]{1,9}:4740", 0..3).prop_map(Record::Managers),
        (0..9_u64, 0..9_u64).prop_map(|(incarnation, term)| Record::Fence(incarnation, term)),
        "[a-f0-9]{8}".prop_map(Record::Boot),
    ]
}

fn reopened(folder: &Path) -> (Contents, bool) {
    let opened = Ledger::open(folder).unwrap();
    (opened.ledger.contents().clone(), opened.damaged.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_was_written_is_read_again(batches in prop::collection::vec(prop::collection::vec(record(), 0..4), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap().ledger;
        for batch in &batches {
            ledger.append(batch, false).unwrap();
        }
        prop_assert_eq!(reopened(folder.path()), (ledger.contents().clone(), false));
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap().ledger;
    ledger.append(&[assigned(1)], true).unwrap();
    let before = ledger.contents().clone();
    let path = folder.path().join("ledger");
    let intact = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    ledger.append(&[assigned(2)], true).unwrap();
    let bytes = fs::read(&path).unwrap();
    let (whole, _) = file::parse(&bytes[..intact]).unwrap();
    for length in intact..bytes.len() {
        let cut = &bytes[..length];
        let zeros = [cut, &vec![0; bytes.len() - length + 100]].concat();
        for torn in [cut, &zeros] {
            assert_eq!(file::parse(torn), Some((whole.clone(), intact)), "torn at {length} of {}", bytes.len());
        }
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(reopened(folder.path()), (before, false));
}

#[test]
fn damage_before_intact_records_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap().ledger;
    ledger.append(&[assigned(1), assigned(2), Record::Fence(1, 1)], true).unwrap();
    let path = folder.path().join("ledger");
    let intact = fs::read(&path).unwrap();
    for position in [0, 20, intact.len() / 2] {
        let mut bytes = intact.clone();
        bytes[position] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let (contents, damaged) = reopened(folder.path());
        assert!(damaged && contents == Contents::default(), "a flipped bit at {position} went unseen");
        assert_eq!(fs::read(folder.path().join("ledger.damaged")).unwrap(), bytes);
    }
}

#[test]
fn a_long_life_does_not_grow_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap().ledger;
    let batch: Vec<Record> = (0..50).map(assigned).collect();
    for _ in 0..200 {
        ledger.append(&batch, false).unwrap();
    }
    assert!(fs::metadata(folder.path().join("ledger")).unwrap().len() < 2 * SMALL);
    assert_eq!(reopened(folder.path()).0.tasks.len(), 50);
}

#[test]
fn a_write_that_fails_leaves_an_intact_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap().ledger;
    ledger.append(&[assigned(1)], true).unwrap();
    let writable = ledger.swap_file(fs::File::open(folder.path().join("ledger")).unwrap()).unwrap();
    assert!(ledger.append(&[assigned(2)], true).is_err());
    assert_eq!(ledger.contents().tasks.len(), 1, "what was not written must not count");
    ledger.swap_file(writable);
    ledger.append(&[assigned(3)], true).unwrap();
    let (contents, damaged) = reopened(folder.path());
    assert_eq!((contents.tasks.keys().map(|task| task.bits()).collect::<Vec<_>>(), damaged), (vec![1, 3], false));
}
