//! Lines of a log in the CRI format, `<RFC 3339 time> <stream> <F|P> <text>`: `F` ends a line, `P` is a part of one.

/// A longer line is written in parts (bytes).
pub(crate) const LONGEST: usize = 16 << 10;

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// As the log names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Formats the lines that `bytes` begins with, and parts of one that is too long. Gives how many bytes that were: what
/// follows them is the beginning of a line whose end is not there yet. `last`: nothing comes any more, so that is a
/// line too.
pub(crate) fn cut(bytes: &[u8], stream: Stream, time: &str, last: bool, out: &mut Vec<u8>) -> usize {
    let mut taken = 0;
    while taken < bytes.len() {
        let rest = &bytes[taken..];
        // Where the line ends is of no interest beyond the longest.
        let window = &rest[..rest.len().min(LONGEST + 1)];
        match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                line(time, stream, b'F', &rest[..end], out);
                taken += end + 1;
            }
            None if window.len() > LONGEST => {
                line(time, stream, b'P', &rest[..LONGEST], out);
                taken += LONGEST;
            }
            None if last => {
                line(time, stream, b'F', rest, out);
                taken += rest.len();
            }
            None => break,
        }
    }
    taken
}

fn line(time: &str, stream: Stream, tag: u8, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(time.as_bytes());
    out.push(b' ');
    out.extend_from_slice(stream.name().as_bytes());
    out.extend_from_slice(&[b' ', tag, b' ']);
    out.extend_from_slice(text);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn cut_all(bytes: &[u8], last: bool) -> (String, usize) {
        let mut out = Vec::new();
        let taken = cut(bytes, Stream::Stdout, "T", last, &mut out);
        (String::from_utf8(out).unwrap(), taken)
    }

    #[test]
    fn whole_lines_only_until_the_last() {
        assert_eq!(cut_all(b"a\n\nbc", false), ("T stdout F a\nT stdout F \n".to_owned(), 3));
        assert_eq!(cut_all(b"bc", true), ("T stdout F bc\n".to_owned(), 2));
        assert_eq!(cut_all(b"", true), (String::new(), 0));
        assert_eq!(cut_all(b"bc", false), (String::new(), 0));
    }

    #[test]
    fn long_lines_come_in_parts() {
        for (length, parts) in [(LONGEST - 1, 1), (LONGEST, 1), (LONGEST + 1, 2), (3 * LONGEST, 3)] {
            let mut long = vec![b'z'; length];
            long.push(b'\n');
            let (text, taken) = cut_all(&long, false);
            assert_eq!(taken, length + 1);
            let texts: Vec<&str> =
                text.lines().map(|line| line.split_once(" F ").or(line.split_once(" P ")).unwrap().1).collect();
            assert_eq!((texts.len(), texts.concat().len()), (parts, length));
            assert_eq!(text.matches(" F ").count(), 1);
        }
        // An unfinished line waits until it is certainly too long.
        assert_eq!(cut_all(&vec![b'z'; LONGEST], false).1, 0);
        assert_eq!(cut_all(&vec![b'z'; LONGEST + 1], false).1, LONGEST);
    }

    /// What is cut in steps is what is cut at once: that makes a step repeatable.
    #[test]
    fn steps_do_not_matter() {
        let mut bytes = Vec::new();
        for length in [0, 3, LONGEST, 1, LONGEST + 7, 2 * LONGEST, 5] {
            bytes.extend(std::iter::repeat_n(b'x', length));
            bytes.push(b'\n');
        }
        let mut whole = Vec::new();
        assert_eq!(cut(&bytes, Stream::Stderr, "T", false, &mut whole), bytes.len());
        for step in [1, 7, 4096, LONGEST, 65_536] {
            let (mut out, mut from) = (Vec::new(), 0);
            for upto in (0..bytes.len()).step_by(step).skip(1).chain([bytes.len()]) {
                from += cut(&bytes[from..upto], Stream::Stderr, "T", false, &mut out);
            }
            assert_eq!(out, whole, "in steps of {step}");
        }
    }
}
