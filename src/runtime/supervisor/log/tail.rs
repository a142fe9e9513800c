//! The end of a log as a termination message.

use super::file::older;
use super::lines::LONGEST;
use crate::border::LogOptions;
use crate::pods::logview::{View, tail_start};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

/// The kubelet's bounds.
const LINES: u64 = 80;
const BYTES: usize = 2048;
/// So much of a file holds more than any message, with the times before its lines (bytes).
const ENOUGH: u64 = 4 * LONGEST as u64;

/// The last lines of a log, without their times; of a long one, its end. Empty if nothing can be read.
pub(crate) fn last_words(path: &Path) -> String {
    let (mut content, whole) = end_of(path).unwrap_or_default();
    if whole && tail_start(&content, LINES).1 < LINES {
        // It was rotated a moment ago.
        let (mut before, _) = end_of(&older(path, 1)).unwrap_or_default();
        before.append(&mut content);
        content = before;
    }
    let (start, _) = tail_start(&content, LINES);
    let mut view = View::new(&LogOptions::default(), SystemTime::now());
    let mut text = Vec::new();
    for line in content[start..].split(|byte| *byte == b'\n') {
        view.put(line, &mut text);
    }
    let mut from = text.len().saturating_sub(BYTES);
    // Not within a character.
    while text.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
        from += 1;
    }
    String::from_utf8_lossy(&text[from..]).into_owned()
}

/// The end of a file in whole lines, and whether that is all of it.
fn end_of(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(ENOUGH);
    file.seek(SeekFrom::Start(from))?;
    let mut content = Vec::new();
    file.take(2 * ENOUGH).read_to_end(&mut content)?;
    if from > 0 {
        let line = content.iter().position(|byte| *byte == b'\n').map_or(content.len(), |at| at + 1);
        content.drain(..line);
    }
    Ok((content, from == 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::fs;

    fn log(lines: impl Iterator<Item = String>) -> String {
        lines.map(|line| format!("2026-01-01T00:00:01.000000000Z stdout F {line}\n")).collect()
    }

    fn numbers(range: std::ops::Range<u32>) -> String {
        range.map(|n| format!("{n}\n")).collect()
    }

    #[test]
    fn eighty_lines_or_two_kilobytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        assert_eq!(last_words(&path), "", "there is no log");
        fs::write(&path, log((0..3).map(|n| n.to_string()))).unwrap();
        assert_eq!(last_words(&path), numbers(0..3));
        fs::write(&path, log((0..1000).map(|n| n.to_string()))).unwrap();
        assert_eq!(last_words(&path), numbers(920..1000));
        // A file larger than what is read of it, and a message that would begin within a character.
        fs::write(&path, log((0..3000).map(|_| "ä".repeat(50)))).unwrap();
        let words = last_words(&path);
        assert!(words.len() <= BYTES && words.len() > BYTES - 4, "{}", words.len());
        assert!(words.ends_with("ä\n") && !words.contains('\u{fffd}'), "{words}");
    }

    #[test]
    fn what_was_rotated_away_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        fs::write(older(&path, 1), log((0..100).map(|n| n.to_string()))).unwrap();
        fs::write(&path, log((100..102).map(|n| n.to_string()))).unwrap();
        assert_eq!(last_words(&path), numbers(22..102));
    }

    #[test]
    fn parts_are_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        fs::write(&path, "t stdout F a\nt stderr P b\nt stderr F c\n").unwrap();
        assert_eq!(last_words(&path), "a\nbc\n");
    }
}
