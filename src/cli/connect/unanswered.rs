//! Why one server gave no answer, in as few words as fit a table.

use crate::connect::error::exit_text;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// Its machine lives, but nobody listens there.
    Refused,
    /// Nothing came back in time.
    Silent,
    /// Something else.
    Other(String),
}

impl Unanswered {
    /// By the causes of an error.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(inner) = next {
            let io = inner.downcast_ref::<io::Error>();
            match io.map(io::Error::kind) {
                Some(ErrorKind::ConnectionRefused) => return Self::Refused,
                Some(ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
                    return Self::Silent;
                }
                _ => {}
            }
            // The source of an I/O error is what lies behind the error that it wraps, not that one.
            let wrapped = io.and_then(io::Error::get_ref).map(|error| error as &(dyn Error + 'static));
            next = wrapped.or_else(|| inner.source());
        }
        Self::Other(exit_text(error))
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Silent => f.write_str("no answer"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_become_words() {
        let of = |kind: ErrorKind| Unanswered::of(&io::Error::other(io::Error::from(kind))).to_string();
        assert_eq!(Unanswered::of(&io::Error::from(ErrorKind::ConnectionRefused)), Unanswered::Refused);
        assert_eq!(of(ErrorKind::HostUnreachable), "no answer");
        assert_eq!(of(ErrorKind::TimedOut), "no answer");
        assert!(matches!(Unanswered::of(&io::Error::other("odd")), Unanswered::Other(why) if why == "odd"));
    }
}
