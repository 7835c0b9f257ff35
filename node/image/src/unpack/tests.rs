//! Tests of unpacking: what honest layers become, and that hostile ones touch nothing outside.
//!
//! They need root, as the store itself does (owners, whiteouts, `trusted.` attributes).

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use tempfile::TempDir;

use super::*;
use crate::fixture::{Tar, gzip, header, layer};

/// A layer's folder with a witness beside it, so that an escape shows.
struct Bench {
    outer: TempDir,
    lowers: Vec<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("witness"), "untouched").unwrap();
        Self { outer, lowers: Vec::new() }
    }

    /// Unpacks on top of the layers so far; the new one counts as one of them from then on.
    fn unpack(&mut self, blob: impl AsRef<[u8]>) -> Result<Unpacked, Refusal> {
        let packed = self.outer.path().join("blob");
        fs::write(&packed, blob).unwrap();
        let into = self.outer.path().join(format!("layer{}", self.lowers.len()));
        fs::create_dir(&into).unwrap();
        let result = unpack(&packed, &into, &self.lowers);
        fs::remove_file(packed).unwrap();
        self.lowers.push(into);
        result
    }

    fn top(&self, path: &str) -> PathBuf {
        self.lowers.last().unwrap().join(path)
    }

    fn refusal(&mut self, blob: impl AsRef<[u8]>) -> String {
        match self.unpack(blob) {
            Err(Refusal::Hostile(reason)) => reason,
            other => panic!("not refused as hostile: {other:?}"),
        }
    }

    fn assert_untouched(&self, case: &str) {
        let mut names: Vec<_> = fs::read_dir(self.outer.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let layers = (0..self.lowers.len()).map(|number| format!("layer{number}"));
        assert_eq!(names, layers.chain(["witness".to_owned()]).collect::<Vec<_>>(), "{case}");
        let witness = self.outer.path().join("witness");
        assert_eq!(fs::read_to_string(&witness).unwrap(), "untouched", "{case}");
        let looks = fs::metadata(&witness).unwrap();
        assert_eq!((looks.nlink(), looks.permissions().mode() & 0o7777), (1, 0o644), "{case}");
    }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

fn is_whiteout(path: &Path) -> bool {
    let found = fs::symlink_metadata(path).unwrap();
    found.file_type().is_char_device() && found.rdev() == 0
}

#[test]
fn owners_modes_times_links_and_attributes_are_kept() {
    let mut setuid = header(b"bin/su", b'0', b"", 2);
    setuid.set_mode(0o4755);
    setuid.set_uid(7);
    setuid.set_gid(8);
    setuid.set_cksum();
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::new()
        .folder("bin/")
        .raw(&setuid, b"su")
        .link("bin/again", "bin/su")
        .symlink("bin/out", "../../../etc/shadow")
        .raw(&header(b"pipe", b'6', b"", 0), b"")
        .pax(&[("SCHILY.xattr.security.capability", &capability), ("SCHILY.xattr.user.note", b"hi")])
        .file("ping", "x")
        .done();
    for form in [tar.clone(), gzip(&tar), zstd::encode_all(&tar[..], 1).unwrap()] {
        let mut bench = Bench::new();
        let done = bench.unpack(form).unwrap();
        assert_eq!((done.size, done.uses_lower, done.diff_id.clone()), (3, false, Digest::of(&tar)));
        let su = fs::metadata(bench.top("bin/su")).unwrap();
        assert_eq!((su.uid(), su.gid(), su.mode() & 0o7777, su.mtime(), su.nlink()), (7, 8, 0o4755, 1_000_000_000, 2));
        assert_eq!(fs::metadata(bench.top("bin")).unwrap().mtime(), 1_000_000_000);
        assert_eq!(fs::read_link(bench.top("bin/out")).unwrap(), Path::new("../../../etc/shadow"));
        assert!(fs::metadata(bench.top("pipe")).unwrap().file_type().is_fifo());
        assert_eq!(xattr(&bench.top("ping"), "security.capability").as_deref(), Some(&capability[..]));
        assert_eq!(xattr(&bench.top("ping"), "user.note").as_deref(), Some(&b"hi"[..]));
        bench.assert_untouched("honest layer");
    }
}

/// In a container the root folder is that of the image, and a program that is not root must get past it.
#[test]
fn the_root_folder_lets_everybody_pass_unless_the_layer_says_otherwise() {
    let mut bench = Bench::new();
    bench.unpack(layer("x")).unwrap();
    assert_eq!(fs::metadata(bench.top("")).unwrap().mode() & 0o7777, 0o755);
    let mut private = header(b"./", b'5', b"", 0);
    private.set_mode(0o711);
    private.set_uid(3);
    private.set_cksum();
    bench.unpack(Tar::new().raw(&private, b"").file("x", "").done()).unwrap();
    let root = fs::metadata(bench.top("")).unwrap();
    assert_eq!((root.mode() & 0o7777, root.uid(), root.mtime()), (0o711, 3, 1_000_000_000));
}

#[test]
fn whiteouts_become_what_overlayfs_reads() {
    let mut bench = Bench::new();
    bench.unpack(layer("base")).unwrap();
    let tar =
        Tar::new().folder("etc/").file("etc/.wh.motd", "").folder("var/").file("var/.wh..wh..opq", "").file(".wh..wh.plnk", "").done();
    bench.unpack(tar).unwrap();
    assert!(is_whiteout(&bench.top("etc/motd")));
    assert_eq!(xattr(&bench.top("var"), "trusted.overlay.opaque").as_deref(), Some(&b"y"[..]));
    assert_eq!(fs::read_dir(bench.top("")).unwrap().count(), 2, "bookkeeping of aufs must not show up");
}

#[test]
fn a_whiteout_hides_lower_layers_only() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .folder("a/")
        .file("a/new", "")
        .file(".wh.a", "")
        .file(".wh.b", "")
        .folder("b/")
        .file("c", "kept")
        .file(".wh.c", "")
        .done();
    bench.unpack(tar).unwrap();
    assert!(bench.top("a/new").exists());
    assert_eq!(fs::read_to_string(bench.top("c")).unwrap(), "kept");
    for folder in ["a", "b"] {
        assert_eq!(xattr(&bench.top(folder), "trusted.overlay.opaque").as_deref(), Some(&b"y"[..]), "{folder}");
    }
}

#[test]
fn a_hard_link_to_a_lower_layer_copies_the_file_up() {
    let mut bench = Bench::new();
    let mut file = header(b"lib/big", b'0', b"", 3);
    file.set_uid(5);
    file.set_cksum();
    bench.unpack(Tar::new().folder("lib/").raw(&file, b"big").done()).unwrap();
    bench.unpack(Tar::new().folder("usr/").done()).unwrap();
    let done = bench.unpack(Tar::new().folder("usr/").link("usr/big", "lib/big").done()).unwrap();
    assert!(done.uses_lower);
    let (copy, link) = (fs::metadata(bench.top("lib/big")).unwrap(), fs::metadata(bench.top("usr/big")).unwrap());
    assert_eq!((copy.ino(), copy.uid(), copy.mtime()), (link.ino(), 5, 1_000_000_000));
    assert_eq!(fs::metadata(bench.lowers[0].join("lib/big")).unwrap().nlink(), 1, "the lower layer must not be linked to");
}

#[test]
fn a_hard_link_to_a_hidden_file_of_a_lower_layer_is_refused() {
    for hide in [
        Tar::new().folder("etc/").file("etc/.wh.motd", ""),
        Tar::new().file(".wh.etc", ""),
        Tar::new().folder("etc/").file("etc/.wh..wh..opq", ""),
    ] {
        let mut bench = Bench::new();
        bench.unpack(layer("base")).unwrap();
        bench.unpack(hide.done()).unwrap();
        assert!(bench.refusal(Tar::new().link("x", "etc/motd").done()).contains("not in the image"));
    }
}

#[test]
fn a_folder_that_the_layer_does_not_describe_looks_as_below() {
    let mut bench = Bench::new();
    let mut private = header(b"home/", b'5', b"", 0);
    private.set_mode(0o700);
    private.set_uid(9);
    private.set_cksum();
    bench.unpack(Tar::new().raw(&private, b"").done()).unwrap();
    assert!(bench.unpack(Tar::new().file("home/x", "").done()).unwrap().uses_lower);
    let home = fs::metadata(bench.top("home")).unwrap();
    assert_eq!((home.uid(), home.mode() & 0o7777), (9, 0o700));
}

/// What it became depends on the layers below, also where these had nothing: it must not be reused on top of others.
#[test]
fn a_layer_that_asked_the_layers_below_says_so() {
    let mut bench = Bench::new();
    assert!(bench.unpack(Tar::new().file("home/x", "").done()).unwrap().uses_lower);
    assert!(!bench.unpack(Tar::new().folder("home/").file("home/x", "").done()).unwrap().uses_lower);
}

#[test]
fn devices_are_left_out_and_counted() {
    let mut bench = Bench::new();
    let mut disk = header(b"disk", b'4', b"", 0);
    disk.set_device_major(8).unwrap();
    disk.set_cksum();
    let done = bench.unpack(Tar::new().raw(&disk, b"").raw(&header(b"null", b'3', b"", 0), b"").file("kept", "").done()).unwrap();
    assert_eq!(done.skipped.into_iter().collect::<Vec<_>>(), [("block device", 1), ("character device", 1)]);
    let left: Vec<_> = fs::read_dir(bench.top("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["kept"], "a device 0:0 would be a forged whiteout");
}

#[test]
fn attributes_of_overlayfs_and_labels_are_not_taken_from_an_image() {
    let mut bench = Bench::new();
    let names = ["trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "security.selinux"];
    let keys = names.map(|name| format!("SCHILY.xattr.{name}"));
    let records: Vec<_> = keys.iter().map(|key| (key.as_str(), &b"y"[..])).collect();
    bench.unpack(Tar::new().pax(&records).folder("d/").done()).unwrap();
    for name in names {
        assert_eq!(xattr(&bench.top("d"), name), None, "{name}");
    }
}

fn wide_size() -> Vec<u8> {
    // The header says that the file is empty, the extension that it is one header long: two archives in one.
    let hidden = header(b"hidden", b'0', b"", 0);
    Tar::new().pax(&[("size", b"512")]).raw(&header(b"cover", b'0', b"", 0), hidden.as_bytes()).done()
}

fn long_name() -> Vec<u8> {
    let text = vec![b'a'; 3 << 20];
    let mut extension = tar::Header::new_gnu();
    extension.set_entry_type(tar::EntryType::GNULongName);
    extension.set_size(text.len() as u64);
    extension.set_cksum();
    Tar::new().raw(&extension, &text).file("x", "").done()
}

/// Every entry of the corpus: what it tries, the layer, and a word of the reason that must be named.
fn corpus() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let tar = Tar::new;
    let cut = tar().file("f", [1; 4096]).done();
    let half_gzip = gzip(&cut);
    let mut bad_sum = layer("x");
    bad_sum[0] ^= 1;
    let mut big_owner = header(b"f", b'0', b"", 0);
    big_owner.set_uid(u64::from(u32::MAX));
    big_owner.set_cksum();
    vec![
        ("absolute path", tar().file("/tmp/evil", "x").done(), "absolute"),
        ("climb", tar().file("../witness", "x").done(), "leads out"),
        ("climb in the middle", tar().file("a/../../witness", "x").done(), "leads out"),
        ("climb by whiteout", tar().file("a/.wh...", "").done(), "names no entry"),
        ("long path in a PAX header", tar().pax(&[("path", b"../../witness")]).file("x", "x").done(), "leads out"),
        ("through a link", tar().symlink("a", "..").file("a/witness", "x").done(), "no folder"),
        ("through an absolute link", tar().symlink("a", "/tmp").file("a/evil", "x").done(), "no folder"),
        ("through a swapped parent", tar().folder("a/").file("a/x", "").symlink("a", "..").file("a/witness", "y").done(), "twice"),
        ("folder through a link", tar().symlink("a", "..").folder("a/new/").done(), "no folder"),
        ("whiteout through a link", tar().symlink("a", "..").file("a/.wh.witness", "").done(), "no folder"),
        ("opaque through a link", tar().symlink("a", "..").file("a/.wh..wh..opq", "").done(), "no folder"),
        ("link through a link", tar().symlink("a", "..").link("x", "a/witness").done(), "not in the image"),
        ("hard link out", tar().link("x", "../witness").done(), "leads out"),
        ("absolute hard link", tar().link("x", "/etc/passwd").done(), "absolute"),
        ("hard link to nothing", tar().link("x", "nothing").done(), "not in the image"),
        ("hard link to a folder", tar().folder("d/").link("x", "d").done(), "no file"),
        ("hard link to a whiteout", tar().file(".wh.w", "").link("x", "w").done(), "no file"),
        ("hard link to itself", tar().file("x", "").link("x", "x").done(), "itself"),
        ("hard link to the root", tar().link("x", "./").done(), "root"),
        ("link without a target", tar().symlink("x", "").done(), "no usable target"),
        ("root as a file", tar().file("./", "x").done(), "root"),
        ("unknown type", tar().raw(&header(b"x", b'Z', b"", 0), b"").done(), "unknown type"),
        ("two sizes", wide_size(), "two sizes"),
        ("PAX sparse file", tar().pax(&[("GNU.sparse.major", b"1")]).file("x", "x").done(), "sparse"),
        ("global path", tar().raw(&header(b"g", b'g', b"", 20), b"20 path=../../witn\n\n").done(), "extension"),
        ("global size", tar().raw(&header(b"g", b'g', b"", 10), b"10 size=9\n").file("x", "x").done(), "global header sets"),
        ("malformed PAX", tar().raw(&header(b"p", b'x', b"", 8), b"99 a=bc\n").file("x", "x").done(), "extension"),
        ("owner beyond 32 bits", tar().raw(&big_owner, b"").done(), "32 bits"),
        ("endless name", gzip(&long_name()), "headers of one entry"),
        ("name too long", tar().pax(&[("path", &[b'a'; 300])]).file("x", "").done(), "longer than 255"),
        ("zero in a name", tar().pax(&[("path", b"a\0b")]).file("x", "").done(), "zero byte"),
        ("cut off", cut[..2000].to_vec(), "cut off"),
        ("cut gzip", half_gzip[..half_gzip.len() / 2].to_vec(), "cannot be read"),
        ("wrong checksum", bad_sum, "checksum"),
        ("noise", vec![0xa5; 2048], "cannot be read"),
    ]
}

#[test]
fn the_corpus_of_evil_layers_is_refused_and_touches_nothing() {
    for (case, blob, reason) in corpus() {
        let mut bench = Bench::new();
        let refusal = bench.refusal(blob);
        assert!(refusal.contains(reason), "{case}: {refusal}");
        bench.assert_untouched(case);
        assert!(!Path::new("/tmp/evil").exists(), "{case}");
    }
}

#[test]
fn a_bomb_is_stopped_early() {
    let size = 2 * crate::limits::RATIO_FROM;
    let head = header(b"bomb", b'0', b"", size);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    io::copy(&mut head.as_bytes().chain(io::repeat(0).take(size)), &mut encoder).unwrap();
    let mut bench = Bench::new();
    let refusal = bench.refusal(encoder.finish().unwrap());
    assert!(refusal.contains("unpacks to more than"), "{refusal}");
    assert!(fs::metadata(bench.top("bomb")).unwrap().len() <= crate::limits::RATIO_FROM);
}

mod random {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        "(/|\\.\\./|\\./|[ab]/|\\.wh\\.){0,3}([ab]|\\.\\.|\\.wh\\.a|\\.wh\\.\\.wh\\.\\.opq)?"
    }

    fn entry() -> impl Strategy<Value = (u8, String, String)> {
        (
            prop_oneof![Just(b'0'), Just(b'1'), Just(b'2'), Just(b'3'), Just(b'5'), Just(b'6')],
            name(),
            prop_oneof![name(), Just("../witness".to_owned())],
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// Whatever order of files, links, folders and whiteouts: nothing outside changes.
        #[test]
        fn nothing_outside_is_touched(first in proptest::collection::vec(entry(), 0..6), second in proptest::collection::vec(entry(), 0..6)) {
            let mut bench = Bench::new();
            for entries in [first, second] {
                let tar = entries.iter().fold(Tar::new(), |tar, (kind, name, target)| {
                    let target = if matches!(kind, b'1' | b'2') { target.as_bytes() } else { b"" };
                    tar.raw(&header(name.as_bytes(), *kind, target, 0), b"")
                });
                let _ = bench.unpack(tar.done());
            }
            bench.assert_untouched("random layers");
        }

        #[test]
        fn noise_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let mut bench = Bench::new();
            let _ = bench.unpack(&bytes);
            bytes.splice(0..0, layer("x"));
            let _ = bench.unpack(&bytes);
            bench.assert_untouched("noise");
        }
    }
}

/// GNU tar writes a layer with all it has, and unpacks it too: both results must be alike, for each of its formats.
#[test]
fn the_result_is_that_of_another_unpacker() {
    let make = r#"
        mkdir -p tree/a/empty tree/b; cd tree
        long=$(printf 'n%.0s' $(seq 120)); mkdir -p "a/$long/$long"; echo deep > "a/$long/$long/file-$long"
        ln -s "../a/$long/$long/file-$long" b/long-link; ln -s missing b/dangling; ln -s / b/root
        echo set > a/setuid; chown 12:34 a/setuid; chmod 6711 a/setuid; ln a/setuid b/hard; ln b/dangling b/hard-dangling
        mkfifo -m 620 b/pipe; chmod 1777 b; chown -h 5:6 b/root; printf 'ü\n' > 'a/ü ñ'; truncate -s 3M a/hole; echo x >> a/hole
        touch -h -d @1234567 b/root a/setuid; touch -d @7654321 a/empty a"#;
    let list = r#"find . -printf '%p %y %m %U %G %s %n %l %Ts\n' | sort; find . -type f | sort | xargs -d '\n' sha256sum"#;
    let run = |dir: &Path, script: &str| {
        let done = std::process::Command::new("bash").args(["-euc", script]).current_dir(dir).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    for form in ["--format=gnu", "--format=pax", "--format=gnu --sparse"] {
        let mut bench = Bench::new();
        let work = tempfile::tempdir().unwrap();
        run(work.path(), make);
        run(work.path(), &format!("tar -c {form} -C tree -f layer.tar . && mkdir other && tar -xp --numeric-owner -C other -f layer.tar"));
        bench.unpack(fs::read(work.path().join("layer.tar")).unwrap()).unwrap();
        let (ours, other) = (run(&bench.top(""), list), run(&work.path().join("other"), list));
        assert_eq!(ours.replace(" .\n", "\n"), other.replace(" .\n", "\n"), "{form}");
    }
}
