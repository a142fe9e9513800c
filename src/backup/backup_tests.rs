#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::*;
use proptest::prelude::*;
use raftsman_state::{Body, Key, Meta, Op, Resource, State, Txn};
use std::sync::{Arc, OnceLock};

fn state(objects: u64) -> State {
    let mut state = State::default();
    for n in 0..objects {
        let resource = Resource::from(["pods", "apps/deployments", "secrets"][n as usize % 3]);
        let text = format!("{{\"metadata\":{{\"resourceVersion\":\"\"}},\"n\":\"{}\"}}", "x".repeat(n as usize % 700));
        let at = text.find("\"\"").unwrap() + 1;
        let body = if n % 7 == 0 { Body::plain("{}") } else { Body::spliced(text, at).unwrap() };
        let meta = Arc::new(Meta { uid: format!("u{n}").into(), ..Meta::default() });
        let op = Op::Put { key: Key::new(&resource, "default", &format!("o{n}")), meta, body };
        state.apply(1, &Txn { ops: vec![op], ..Txn::default() });
    }
    state.apply(
        1,
        &Txn { ops: vec![Op::Delete { key: Key::new(&Resource::from("pods"), "default", "o3") }], ..Txn::default() },
    );
    state
}

fn keys() -> Vec<KeyFile> {
    vec![KeyFile { name: "ca.key".into(), content: "secret of the authority".into() }]
}

fn manifest() -> Manifest {
    Manifest { cluster: "c".into(), cluster_id: "c-1".into(), ..Manifest::default() }
}

fn written(passphrase: Option<&Passphrase>, objects: u64) -> Vec<u8> {
    write_view(Vec::new(), manifest(), &state(objects).view(), &keys(), passphrase).unwrap().0
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse\n").unwrap()
}

/// Sealed once: making the key takes its time on purpose.
fn sealed() -> &'static [u8] {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    SEALED.get_or_init(|| written(Some(&passphrase()), 40))
}

fn read(bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<(Manifest, Vec<Item>), BackupError> {
    let mut reader = Reader::open(bytes, passphrase)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next_item()? {
        items.push(item);
    }
    Ok((reader.manifest().clone(), items))
}

#[test]
fn what_is_read_is_what_the_view_held() {
    // Enough for several blocks.
    let state = state(6000);
    let view = state.view();
    let (bytes, totals) = write_view(Vec::new(), manifest(), &view, &keys(), None).unwrap();
    let (manifest, items) = read(&bytes, None).unwrap();
    assert_eq!((manifest.revision, manifest.objects()), (6001, 5999));
    assert_eq!(manifest.counts["secrets"], 2000);
    assert_eq!(manifest.keys, ["ca.key"]);
    assert_eq!((totals.objects, totals.keys), (5999, 1));
    assert_eq!(items[0], Item::Key(keys().remove(0)));
    let expected: Vec<Item> = view
        .tables()
        .flat_map(|(_, table)| table.list(None, None))
        .map(|object| Item::Object(Record::from(&**object)))
        .collect();
    assert_eq!(items[1..], expected);
    let outline = outline(&bytes[..]).unwrap();
    assert_eq!((outline.sealed, outline.bytes), (false, bytes.len() as u64));
    assert!(outline.blocks > 4, "{outline:?}");
}

#[test]
fn a_sealed_file_opens_with_its_passphrase_only_and_shows_nothing() {
    let (_, items) = read(sealed(), Some(&passphrase())).unwrap();
    assert_eq!(items.len(), 40);
    assert!(matches!(read(sealed(), None), Err(BackupError::NeedsPassphrase)));
    let other = Passphrase::new("correct horsf").unwrap();
    assert!(matches!(read(sealed(), Some(&other)), Err(BackupError::WrongPassphrase)));
    for secret in [&b"secret of"[..], b"ca.key", b"resourceVersion", b"deployments"] {
        assert!(!sealed().windows(secret.len()).any(|window| window == secret));
        assert!(Passphrase::new("\n").is_err());
    }
    assert!(outline(sealed()).unwrap().sealed);
}

#[test]
fn a_cut_is_seen_wherever_it_is() {
    let plain = written(None, 40);
    for length in 0..plain.len() {
        assert!(read(&plain[..length], None).is_err(), "cut at {length} of {}", plain.len());
        assert!(outline(&plain[..length]).is_err(), "cut at {length}");
    }
    let mut longer = plain.clone();
    longer.push(0);
    assert!(read(&longer, None).is_err());
    assert!(outline(&longer[..]).is_err());
}

#[test]
fn a_newer_format_and_other_files_are_named() {
    assert!(matches!(read(b"PK\x03\x04 something else entirely", None), Err(BackupError::Foreign)));
    assert!(matches!(read(b"", None), Err(BackupError::Foreign)));
    let mut newer = written(None, 1);
    newer[16] = 9;
    assert!(matches!(read(&newer, None), Err(BackupError::Version { found: 9, .. })));
}

#[test]
fn a_manifest_that_lies_is_found_out() {
    let view = state(9).view();
    let mut manifest = manifest();
    manifest.describe(&view);
    manifest.counts.insert("pods".into(), 7);
    let mut writer = Writer::begin(Vec::new(), &manifest, None).unwrap();
    for (_, table) in view.tables() {
        for object in table.list(None, None) {
            writer.object(&Record::from(&**object)).unwrap();
        }
    }
    let (bytes, _) = writer.finish().unwrap();
    assert!(matches!(read(&bytes, None), Err(BackupError::Damaged { .. })));
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b");
    let view = state(50).view();
    let good = |out| write_view(out, manifest(), &view, &[], None);
    let done = write_file(&path, None, good).unwrap();
    assert_eq!((done.totals.objects, done.manifest.revision), (49, 51));
    assert_eq!(done.bytes, std::fs::metadata(&path).unwrap().len());
    let before = std::fs::read(&path).unwrap();
    // Broken off: what was there stays, and nothing else is left.
    let failed = write_file(&path, None, |mut out| {
        std::io::Write::write_all(&mut out, b"half").unwrap();
        Err(BackupError::Unwritable("the rest".into()))
    });
    assert!(failed.is_err());
    // Written wrongly: found by reading it back.
    let wrong = write_file(&path, None, |out| {
        let (mut out, totals) = write_view(out, manifest(), &view, &[], None)?;
        std::io::Write::write_all(&mut out, b"more").unwrap();
        Ok((out, totals))
    });
    assert!(wrong.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_flipped_bit_is_seen_wherever_it_is(place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut plain = written(None, 20);
        let at = place.index(plain.len());
        plain[at] ^= 1 << bit;
        prop_assert!(read(&plain, None).is_err());
        prop_assert!(outline(&plain[..]).is_err());
    }

    #[test]
    fn bytes_from_anywhere_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), keep in 0usize..120) {
        let mut file = written(None, 3);
        file.truncate(keep);
        file.extend_from_slice(&bytes);
        prop_assert!(read(&file, None).is_err());
    }
}

#[test]
fn blocks_of_a_sealed_file_keep_their_places() {
    // The sums are mended, so that only the seal can tell.
    let mut file = sealed().to_vec();
    let header = 20 + usize::from(u16::from_le_bytes([file[18], file[19]])) + 4;
    let length = |file: &[u8], at: usize| 5 + u32::from_le_bytes(file[at + 1..at + 5].try_into().unwrap()) as usize + 4;
    let manifest = header..header + length(&file, header);
    let key = manifest.end..manifest.end + length(&file, manifest.end);
    let objects = key.end..key.end + length(&file, key.end);
    // Without the keys' block.
    let mut dropped = [&file[..manifest.end], &file[objects.start..file.len() - 32]].concat();
    mend(&mut dropped);
    assert!(outline(&dropped[..]).is_ok());
    assert!(matches!(read(&dropped, Some(&passphrase())), Err(BackupError::Damaged { block: 1, .. })));
    // A changed byte of the manifest, its checksum mended.
    file[manifest.start + 8] ^= 1;
    let end = manifest.end - 4;
    let sum = crc32fast::hash(&file[manifest.start..end]).to_le_bytes();
    file[end..manifest.end].copy_from_slice(&sum);
    file.truncate(file.len() - 32);
    mend(&mut file);
    assert!(outline(&file[..]).is_ok());
    assert!(matches!(read(&file, Some(&passphrase())), Err(BackupError::Damaged { block: 0, .. })));
}

fn mend(file: &mut Vec<u8>) {
    use sha2::Digest;
    let sum = sha2::Sha256::digest(&file[..]);
    file.extend_from_slice(&sum);
}
