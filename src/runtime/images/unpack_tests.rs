#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use std::os::unix::fs::FileTypeExt;

type Builder = tar::Builder<Vec<u8>>;

fn add(builder: &mut Builder, path: &str, kind: EntryType, mode: u32, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(12);
    header.set_gid(34);
    header.set_mtime(1_000_000);
    header.set_size(content.len() as u64);
    // The builder refuses paths that lead out; a hostile archive does not.
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn add_link(builder: &mut Builder, path: &str, kind: EntryType, target: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    builder.append(&header, &[][..]).unwrap();
}

fn run(build: impl FnOnce(&mut Builder)) -> (tempfile::TempDir, io::Result<()>) {
    let mut builder = Builder::new(Vec::new());
    build(&mut builder);
    let target = tempfile::tempdir().unwrap();
    let result = unpack(&builder.into_inner().unwrap()[..], target.path(), &[]);
    (target, result)
}

#[test]
fn files_keep_owner_mode_time_and_links() {
    let (target, result) = run(|tar| {
        add(tar, "d/", EntryType::Directory, 0o1777, b"");
        add(tar, "d/suid", EntryType::Regular, 0o4755, b"x");
        add_link(tar, "hard", EntryType::Link, "d/suid");
        add_link(tar, "soft", EntryType::Symlink, "/etc/passwd");
    });
    result.unwrap();
    let suid = fs::metadata(target.path().join("d/suid")).unwrap();
    assert_eq!(
        (suid.uid(), suid.gid(), suid.mode() & 0o7777, suid.mtime(), suid.nlink()),
        (12, 34, 0o4755, 1_000_000, 2)
    );
    let directory = fs::metadata(target.path().join("d")).unwrap();
    assert_eq!((directory.mode() & 0o7777, directory.mtime()), (0o1777, 1_000_000));
    assert_eq!(fs::read_link(target.path().join("soft")).unwrap(), Path::new("/etc/passwd"));
}

#[test]
fn whiteouts_become_overlay_whiteouts() {
    let (target, result) = run(|tar| {
        add(tar, "a/.wh.gone", EntryType::Regular, 0, b"");
        add(tar, "b/.wh..wh..opq", EntryType::Regular, 0, b"");
    });
    result.unwrap();
    let gone = fs::symlink_metadata(target.path().join("a/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert!(!target.path().join("b/.wh..wh..opq").exists());
    assert_eq!(sys::get_xattr(&target.path().join("b"), "trusted.overlay.opaque").unwrap(), b"y");
}

#[test]
fn nothing_leads_out() {
    let (_, result) = run(|tar| add(tar, "../evil", EntryType::Regular, 0o644, b"x"));
    assert!(result.unwrap_err().to_string().contains("leads out"));

    let outside = tempfile::tempdir().unwrap();
    let link = outside.path().to_str().unwrap().to_owned();
    let (target, result) = run(|tar| {
        add_link(tar, "out", EntryType::Symlink, &link);
        add(tar, "out/evil", EntryType::Regular, 0o644, b"x");
    });
    // The link is followed inside the layer, where its target does not exist, or refused; never outside.
    drop(result);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    drop(target);

    let (_, result) = run(|tar| add_link(tar, "h", EntryType::Link, "../../../../etc/passwd"));
    assert!(result.is_err());
}

#[test]
fn an_implied_directory_is_like_the_one_below() {
    let below = tempfile::tempdir().unwrap();
    fs::create_dir(below.path().join("tmp")).unwrap();
    fs::set_permissions(below.path().join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let mut builder = Builder::new(Vec::new());
    add(&mut builder, "tmp/x", EntryType::Regular, 0o644, b"");
    let target = tempfile::tempdir().unwrap();
    unpack(&builder.into_inner().unwrap()[..], target.path(), &[below.path().to_owned()]).unwrap();
    assert_eq!(fs::metadata(target.path().join("tmp")).unwrap().mode() & 0o7777, 0o1777);
}
