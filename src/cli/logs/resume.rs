//! Going on with a log where it broke off, without a line twice and without one missing.

/// Remembers the newest line by its time, and how many lines have had that very time.
///
/// The server's `sinceTime` counts whole seconds, so what it sends again begins a little before: those lines are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resume {
    newest: Option<(String, usize)>,
    /// Of the lines with the newest time, how many are still to be left out.
    skip: usize,
    /// Nothing new has come since the answer began.
    resumed: bool,
}

impl Resume {
    /// `sinceTime` for the next request: the newest line's time.
    pub(super) fn since(&self) -> Option<&str> {
        self.newest.as_ref().map(|(time, _)| time.as_str())
    }

    /// A new answer begins.
    pub(super) fn again(&mut self) {
        self.resumed = true;
        self.skip = self.newest.as_ref().map_or(0, |(_, count)| *count);
    }

    /// The line, if it is new. Lines begin with an RFC 3339 time of nanoseconds in UTC and a space.
    pub(super) fn accept<'a>(&mut self, line: &'a [u8]) -> Option<Line<'a>> {
        let split = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let time = String::from_utf8_lossy(&line[..split]).into_owned();
        let text = line.get(split + 1..).unwrap_or_default();
        if let Some((newest, count)) = &mut self.newest {
            match key(&time).cmp(&key(newest)) {
                std::cmp::Ordering::Less if self.resumed => return None,
                std::cmp::Ordering::Equal if self.skip > 0 => {
                    self.skip -= 1;
                    return None;
                }
                std::cmp::Ordering::Equal => *count += 1,
                // Clocks may step back in the middle of an answer: the line is new all the same.
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Greater => self.newest = Some((time, 1)),
            }
        } else {
            self.newest = Some((time, 1));
        }
        // From here on the answer goes on where the one before broke off.
        self.resumed = false;
        Some(Line { whole: line, text })
    }
}

/// Writers drop zeros at the end of the fraction: a key that compares as the time does.
fn key(time: &str) -> String {
    let (seconds, fraction) = time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    format!("{seconds}.{fraction:0<9}")
}

/// A line, with and without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) whole: &'a [u8],
    pub(super) text: &'a [u8],
}
