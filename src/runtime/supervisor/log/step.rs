//! What a supervisor is about to do to a log, recorded first: who finds it there does exactly the same again.

use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const FIELDS: usize = 10;
const BYTES: usize = FIELDS * 8;

/// What is done next. Repeating it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing.
    None,
    /// Append the lines of a spool, from its offset on, to the log.
    Write {
        /// Whose spool.
        stream: usize,
        /// To here (bytes).
        upto: u64,
        /// An unfinished line is one.
        last: bool,
        /// The time of the lines.
        time: Timestamp,
    },
    /// Cut a spool off. Its offset is the one afterwards.
    Shrink {
        /// Whose spool.
        stream: usize,
        /// To this length (bytes).
        to: u64,
    },
}

/// The state of a log before an action, and the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The log file's inode.
    pub inode: u64,
    /// Its length (bytes).
    pub length: u64,
    /// Of each spool, so much is in the log (bytes).
    pub offsets: [u64; 2],
    /// What is done.
    pub action: Action,
}

impl Step {
    fn encode(&self) -> [u8; BYTES] {
        let (kind, stream, place, time) = match self.action {
            Action::None => (1, 0, 0, Timestamp::UNIX_EPOCH),
            Action::Write { stream, upto, last, time } => (if last { 3 } else { 2 }, stream, upto, time),
            Action::Shrink { stream, to } => (4, stream, to, Timestamp::UNIX_EPOCH),
        };
        let fields: [u64; FIELDS] = [
            kind,
            self.inode,
            self.length,
            self.offsets[0],
            self.offsets[1],
            stream as u64,
            place,
            time.as_second().cast_unsigned(),
            u64::from(time.subsec_nanosecond().cast_unsigned()),
            0,
        ];
        let mut bytes = [0; BYTES];
        for (field, place) in fields.iter().zip(bytes.chunks_exact_mut(8)) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let mut fields = [0u64; FIELDS];
        for (field, place) in fields.iter_mut().zip(bytes.chunks_exact(8)) {
            *field = u64::from_le_bytes(place.try_into().ok()?);
        }
        let [kind, inode, length, first, second, stream, place, seconds, nanoseconds, _] = fields;
        let stream = usize::try_from(stream).ok().filter(|stream| *stream < 2)?;
        let action = match kind {
            1 => Action::None,
            2 | 3 => Action::Write {
                stream,
                upto: place,
                last: kind == 3,
                time: Timestamp::new(seconds.cast_signed(), i32::try_from(nanoseconds).ok()?).ok()?,
            },
            4 => Action::Shrink { stream, to: place },
            _ => return None,
        };
        Some(Self { inode, length, offsets: [first, second], action })
    }
}

/// The file of the step.
#[derive(Debug)]
pub(super) struct StepFile(File);

impl StepFile {
    /// Opens it, made if there is none; with the step that is in it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<Step>)> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = [0; BYTES];
        let step = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Step::decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self(file), step))
    }

    /// Replaces it: one write within one page, which no signal divides.
    pub(super) fn put(&self, step: &Step) -> io::Result<()> {
        self.0.write_all_at(&step.encode(), 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_step_is_read_as_it_was_written() {
        let time = Timestamp::new(1_795_000_000, 123_456_789).unwrap();
        for action in [
            Action::None,
            Action::Write { stream: 1, upto: 1 << 40, last: false, time },
            Action::Write { stream: 0, upto: 0, last: true, time },
            Action::Shrink { stream: 1, to: 77 },
        ] {
            let step = Step { inode: u64::MAX, length: 5, offsets: [6, 7], action };
            assert_eq!(Step::decode(&step.encode()), Some(step));
        }
        assert_eq!(Step::decode(&[0; BYTES]), None);
        assert_eq!(Step::decode(&[0xff; BYTES]), None);
    }
}
