//! What a power cut leaves of a simulated disk.

use super::*;

fn disk() -> SimDisk {
    SimDisk::new(Chance::new(1, 1))
}

#[test]
fn what_was_synced_survives_and_what_was_not_may_go() {
    let mut lost = 0;
    for salt in 0..20 {
        let disk = SimDisk::new(Chance::new(1, salt));
        let file = disk.create("log", 1024).expect("a file");
        file.write_at(0, b"synced").and_then(|()| file.sync()).expect("written");
        file.write_at(512, b"not").expect("written");
        disk.end(End::PowerCut);
        assert!(file.sync().is_err(), "its process has ended");
        let bytes = disk.start().open("log").expect("the file").read_all().expect("its bytes");
        assert_eq!(&bytes[..6], b"synced");
        lost += u32::from(&bytes[512..515] != b"not");
    }
    assert!((1..20).contains(&lost), "{lost}");
}

#[test]
fn a_killed_process_leaves_what_it_wrote_and_a_power_cut_takes_it() {
    let disk = disk();
    let file = disk.create("log", 4).expect("a file");
    file.write_at(0, b"late").expect("written");
    disk.end(End::Kill);
    let read = |disk: &SimDisk| disk.open("log").expect("the file").read_all().expect("its bytes");
    assert_eq!(read(&disk.start()), b"late");
    assert_eq!(read(&disk.durable()), [0; 4]);
}

#[test]
fn a_fuse_ends_the_process_between_a_write_and_its_sync() {
    let disk = disk();
    let file = disk.create("log", 4).expect("a file");
    disk.light(1, End::Kill);
    file.write_at(0, b"late").expect("written");
    assert!(file.sync().is_err());
    assert!(!disk.is_alive() && disk.start().is_alive());
}
