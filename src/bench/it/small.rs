//! A small run of the store's measurement: three members as processes, every kind of load, nothing fails, nothing stays.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::process::Command;

#[test]
fn every_work_is_measured_and_nothing_is_left() {
    let directory = std::env::temp_dir().join(format!("bench-small-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let json = directory.join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_raftsman"))
        .args(["bench", "store", "--rounds", "1", "--operations", "5", "--dir"])
        .arg(&directory)
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    for row in rows {
        let expected = row["clients"].as_u64().unwrap() * 5;
        assert_eq!((row["operations"].as_u64(), row["failures"].as_u64()), (Some(expected), Some(0)), "{row}");
    }
    std::fs::remove_file(&json).unwrap();
    // Only an empty directory can be removed.
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn an_unknown_work_is_named_with_those_that_exist() {
    let output = Command::new(env!("CARGO_BIN_EXE_raftsman")).args(["bench", "store", "--only", "write-7"]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("write-7") && text.contains("read-64-leader"), "{text}");
}
