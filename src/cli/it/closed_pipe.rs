//! Output into a closed pipe ends a command without a word.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};

#[test]
fn nobody_reads_and_nothing_is_said() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let raftsman = env!("CARGO_BIN_EXE_raftsman");
    let child = Command::new(raftsman).args(["completion", "bash"]).stdout(writer).stderr(Stdio::piped()).spawn();
    let ended = child.unwrap().wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[test]
fn completion_knows_the_whole_command_line() {
    let raftsman = env!("CARGO_BIN_EXE_raftsman");
    let ended = Command::new(raftsman).args(["completion", "bash"]).output().unwrap();
    let script = String::from_utf8_lossy(&ended.stdout);
    for command in ["up", "down", "serve", "host", "status", "restore", "get", "members"] {
        assert!(
            script.contains(&format!("raftsman__subcmd__{command}"))
                || script.contains(&format!("raftsman__{command}")),
            "{command}"
        );
    }
}
