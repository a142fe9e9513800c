//! `--validate`.

use clap::ValueEnum;

/// What becomes of fields that the server does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Validate {
    /// They are refused
    #[default]
    #[value(alias = "true")]
    Strict,
    /// They are left out, with a warning
    Warn,
    /// They are left out
    #[value(alias = "false")]
    Ignore,
}

impl Validate {
    /// The value of a request's `fieldValidation`.
    pub fn parameter(self) -> Option<String> {
        let word = match self {
            Self::Strict => "Strict",
            Self::Warn => "Warn",
            Self::Ignore => "Ignore",
        };
        Some(word.to_owned())
    }
}
