#![allow(clippy::unwrap_used)]

use super::*;
use raftsman_backup::{Manifest, Totals};

#[test]
fn a_passphrase_comes_from_a_files_first_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p");
    std::fs::write(&path, "correct horse\nsomething else\n").unwrap();
    let options =
        <Line as clap::Parser>::try_parse_from(["raftsman", "--passphrase-file", path.to_str().unwrap()]).unwrap();
    assert_eq!(options.passphrase.known().unwrap(), raftsman_backup::Passphrase::new("correct horse").unwrap());
    std::fs::write(&path, "\n").unwrap();
    let error = format!("{:#}", options.passphrase.known().unwrap_err());
    assert!(error.contains("empty") && error.contains(path.to_str().unwrap()), "{error}");
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

#[test]
fn a_summary_says_whose_when_and_how_much() {
    let manifest = Manifest {
        cluster: "prod".to_owned(),
        cluster_id: "c-1".to_owned(),
        revision: 77,
        time: 0,
        counts: [("pods".to_owned(), 3)].into(),
        ..Manifest::default()
    };
    let text = summary(&manifest, Totals { objects: 3, bytes: 30, keys: 0 }, 99, false);
    for part in ["prod (c-1)", "1970-01-01T00:00:00Z", "77 (epoch 0)", "3 of 1 resources", "99 bytes, not encrypted"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
