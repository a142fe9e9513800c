//! Log lines in the CRI format, and which of them a reader asked for.

use crate::border::LogOptions;
use jiff::Timestamp;
use std::time::SystemTime;

/// One line of a log file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its time as written.
    pub time: &'a str,
    /// More of the same line follows.
    pub partial: bool,
    /// What the container wrote, without line end.
    pub text: &'a [u8],
}

/// Parses a line without its line end. `None` if it is not one.
pub(crate) fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(fields.next()?).ok()?;
    let _stream = fields.next()?;
    let partial = fields.next()?.first() == Some(&b'P');
    Some(Line { time, partial, text: fields.next().unwrap_or_default() })
}

/// Turns lines into what the reader gets.
#[derive(Debug)]
pub(crate) struct View {
    since: Option<Timestamp>,
    timestamps: bool,
    left: Option<u64>,
    in_line: bool,
}

impl View {
    /// For a reader with these wishes, at this time.
    pub(crate) fn new(options: &LogOptions, now: SystemTime) -> Self {
        let ago = options.since_seconds.and_then(|ago| now.checked_sub(ago));
        let since = options.since.or(ago).and_then(|time| Timestamp::try_from(time).ok());
        Self { since, timestamps: options.timestamps, left: options.limit_bytes, in_line: false }
    }

    /// Adds what the reader gets of this line.
    pub(crate) fn put(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let Some(line) = parse(line) else { return };
        if let Some(since) = self.since
            && line.time.parse::<Timestamp>().is_ok_and(|time| time < since)
        {
            return;
        }
        let before = out.len();
        if self.timestamps && !self.in_line {
            out.extend_from_slice(line.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(line.text);
        if !line.partial {
            out.push(b'\n');
        }
        self.in_line = line.partial;
        if let Some(left) = &mut self.left {
            let added = (out.len() - before) as u64;
            if added > *left {
                out.truncate(before + usize::try_from(*left).unwrap_or(usize::MAX));
            }
            *left = left.saturating_sub(added);
        }
    }

    /// The reader has all that it asked for.
    pub(crate) fn is_full(&self) -> bool {
        self.left == Some(0)
    }
}

/// Where the last `lines` whole lines of `content` begin, and how many there are.
pub(crate) fn tail_start(content: &[u8], lines: u64) -> (usize, u64) {
    if lines == 0 {
        return (content.len(), 0);
    }
    let mut found = 0;
    let mut start = content.len();
    let mut end = content.len();
    while end > 0 {
        let line_start = content[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = &content[line_start..end];
        // The parts of a line belong to the whole one that ends it.
        if !parse(line).is_some_and(|line| line.partial) {
            if found == lines {
                break;
            }
            found += 1;
        }
        start = line_start;
        end = line_start;
    }
    (start, found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::time::Duration;

    const LOG: &str = "\
2026-01-01T00:00:01.000000000Z stdout F one
2026-01-01T00:00:02.000000000Z stderr P two-
2026-01-01T00:00:02.000000001Z stderr F two
2026-01-01T00:00:03.000000000Z stdout F 
2026-01-01T00:00:04.000000000Z stdout F four words are here
";

    fn view(options: &LogOptions) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_604);
        let mut view = View::new(options, now);
        let mut out = Vec::new();
        for line in LOG.lines() {
            view.put(line.as_bytes(), &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_text_again() {
        assert_eq!(view(&LogOptions::default()), "one\ntwo-two\n\nfour words are here\n");
    }

    #[test]
    fn times_once_per_line() {
        let text = view(&LogOptions { timestamps: true, ..LogOptions::default() });
        assert!(text.contains("2026-01-01T00:00:02.000000000Z two-two\n"));
    }

    #[test]
    fn since_and_limit() {
        let since = LogOptions { since_seconds: Some(Duration::from_secs(1)), ..LogOptions::default() };
        assert_eq!(view(&since), "\nfour words are here\n");
        let limit = LogOptions { limit_bytes: Some(6), ..LogOptions::default() };
        assert_eq!(view(&limit), "one\ntw");
    }

    #[test]
    fn tails_count_whole_lines() {
        let tail = |lines| {
            let (start, found) = tail_start(LOG.as_bytes(), lines);
            (LOG[start..].lines().count(), found)
        };
        assert_eq!(tail(0), (0, 0));
        assert_eq!(tail(1), (1, 1));
        assert_eq!(tail(2), (2, 2));
        assert_eq!(tail(3), (4, 3));
        assert_eq!(tail(9), (5, 4));
    }
}
