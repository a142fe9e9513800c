#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// A container with both streams, and its log.
struct Rig {
    directory: tempfile::TempDir,
    path: PathBuf,
    outputs: [Output; 2],
    writers: [File; 2],
    log: Log,
    buffer: Vec<u8>,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        let log = Log::begin(directory.path(), &path).unwrap();
        let [(out, first), (err, second)] = Stream::ALL.map(|stream| Output::pipe(directory.path(), stream).unwrap());
        Self {
            path,
            outputs: [out, err],
            writers: [File::from(first), File::from(second)],
            log,
            buffer: vec![0; BUFFER],
            directory,
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.writers[stream as usize].write_all(bytes).unwrap();
    }

    fn take(&mut self, stream: Stream) {
        self.log.take(&mut self.outputs[stream as usize], &mut self.buffer).unwrap();
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        self.write(stream, bytes);
        self.take(stream);
    }

    /// Another supervisor goes on.
    fn resume(&mut self) {
        self.log = Log::resume(self.directory.path(), &self.path).unwrap();
        self.log.catch_up(&mut self.buffer).unwrap();
    }

    fn raw(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// The log without its times.
    fn text(&self) -> String {
        self.raw().lines().map(|line| format!("{}\n", &line[31..])).collect()
    }

    fn recorded(&self) -> Step {
        StepFile::open(&self.directory.path().join(STEP_FILE)).unwrap().1.unwrap()
    }
}

use Stream::{Stderr, Stdout};

#[test]
fn lines_of_both_streams_do_not_mix() {
    let mut rig = Rig::new();
    for (stream, bytes) in [(Stdout, "a"), (Stderr, "x\ny"), (Stdout, "b\n\nc")] {
        rig.put(stream, bytes.as_bytes());
    }
    rig.log.close(&mut rig.buffer).unwrap();
    assert_eq!(rig.text(), "stderr F x\nstdout F ab\nstdout F \nstdout F c\nstderr F y\n");
    assert_eq!(rig.raw().find(' '), Some("2016-10-06T00:17:09.669794202Z".len()), "times have nine digits");
    forget(rig.directory.path()).unwrap();
    assert_eq!(fs::read_dir(rig.directory.path()).unwrap().count(), 3, "the log and two pipes");
}

#[test]
fn whoever_dies_in_a_write_it_is_written_once_and_the_same() {
    let mut rig = Rig::new();
    rig.put(Stdout, b"one\ntw");
    rig.put(Stderr, b"bad\n");
    let before = rig.raw().len();
    rig.put(Stdout, b"o\nthree\nfo");
    let whole = rig.raw();
    for kept in before..=whole.len() {
        // As if it had died with so much written.
        OpenOptions::new().write(true).open(&rig.path).unwrap().set_len(kept as u64).unwrap();
        let step = Step { length: before as u64, ..rig.recorded() };
        let step = match step.action {
            Action::Write { .. } => step,
            _ => Step {
                offsets: [4, 4],
                action: Action::Write { stream: 0, upto: 16, last: false, time: time_of(&whole[before..]) },
                ..step
            },
        };
        rig.log.step.put(&step).unwrap();
        rig.resume();
        assert_eq!(rig.raw(), whole, "killed after {kept} bytes");
    }
    rig.put(Stdout, b"ur\n");
    assert_eq!(rig.text(), "stdout F one\nstderr F bad\nstdout F two\nstdout F three\nstdout F four\n");
}

fn time_of(line: &str) -> Timestamp {
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn what_left_the_pipe_only_is_written_by_the_next() {
    let mut rig = Rig::new();
    rig.put(Stdout, b"one\ntw");
    rig.write(Stdout, b"o\nthree\n");
    rig.log.spools[0].take(&mut rig.outputs[0], CHUNK).unwrap();
    rig.resume();
    assert_eq!(rig.text(), "stdout F one\nstdout F two\nstdout F three\n");
}

#[test]
fn a_spool_begins_anew_whoever_dies_meanwhile() {
    for (recorded, cut) in [(true, true), (true, false), (false, false)] {
        let mut rig = Rig::new();
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..SHRINK_AT / 1000 {
            rig.put(Stdout, line.as_bytes());
        }
        rig.put(Stdout, format!("{line}the beg").as_bytes());
        let (from, length) = (rig.log.offsets[0], rig.log.spools[0].length);
        assert!(from > SHRINK_AT && length == from + 7);
        let to = rig.log.spools[0].copy_to_front(from).unwrap();
        if recorded {
            rig.log.offsets[0] = 0;
            rig.log.record(Action::Shrink { stream: 0, to }).unwrap();
        }
        if cut {
            rig.log.spools[0].truncate(to).unwrap();
        }
        rig.resume();
        rig.put(Stdout, b"inning\n");
        assert!(rig.text().ends_with("x\nstdout F the beginning\n"), "recorded {recorded}, cut {cut}");
        assert_eq!(rig.text().lines().count() as u64, SHRINK_AT / 1000 + 2);
        rig.resume();
        assert_eq!(rig.text().lines().count() as u64, SHRINK_AT / 1000 + 2);
        assert!(rig.log.spools[0].length < SHRINK_AT + 100);
    }
}

#[test]
fn a_rotation_loses_and_doubles_nothing() {
    let mut rig = Rig::new();
    rig.put(Stdout, b"old\n");
    // Killed between the renames and the first line of the new file.
    fs::rename(&rig.path, older(&rig.path, 1)).unwrap();
    rig.resume();
    assert_eq!(rig.raw(), "");
    rig.put(Stdout, b"new\n");
    rig.resume();
    assert_eq!(rig.text(), "stdout F new\n");
    assert!(fs::read_to_string(older(&rig.path, 1)).unwrap().ends_with(" old\n"));
}

#[test]
fn rotates_by_size() {
    let mut rig = Rig::new();
    let chunk = vec![b'\n'; 32 << 10];
    while !older(&rig.path, 2).exists() {
        rig.put(Stdout, &chunk);
    }
    let size = fs::metadata(older(&rig.path, 1)).unwrap().len();
    assert!(size <= file::LARGEST && size > file::LARGEST - (2 << 20), "{size}");
    assert!(rig.log.spools[0].length < SHRINK_AT + (64 << 10), "the spool does not grow");
}

#[test]
fn a_full_disk_holds_no_container_up() {
    let mut rig = Rig::new();
    rig.put(Stdout, b"before\n");
    // The log's own file is one that takes nothing.
    let full = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", full.path().join("0.log")).unwrap();
    let good = std::mem::replace(&mut rig.log.file, LogFile::open(&full.path().join("0.log")).unwrap());
    rig.write(Stdout, b"waits\n");
    let error = rig.log.take(&mut rig.outputs[0], &mut rig.buffer).unwrap_err();
    assert!(is_passing(&error) && !rig.outputs[0].is_pressing());
    rig.write(Stdout, &[b'\n'; 50_000]);
    assert!(rig.outputs[0].is_pressing());
    rig.log.take(&mut rig.outputs[0], &mut rig.buffer).unwrap_err();
    rig.log.discard(&mut rig.outputs[0], &mut rig.buffer).unwrap();
    assert_eq!((rig.log.lost, rig.outputs[0].is_pressing()), (50_006, false));
    rig.log.file = good;
    rig.put(Stdout, b"after\n");
    assert_eq!(rig.text(), "stdout F before\nstdout F after\n");
}
