//! `--dry-run`.

use clap::ValueEnum;

/// Try it without storing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Do it
    #[default]
    None,
    /// Only print what would be sent
    Client,
    /// Let the server check it, without storing
    Server,
}

impl DryRun {
    /// The value of a request's `dryRun`.
    pub fn parameter(self) -> Option<String> {
        (self == Self::Server).then(|| "All".to_owned())
    }

    /// What a line about it ends with, as kubectl words it.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}
