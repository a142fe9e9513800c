//! kubectl's flags that several commands have, each read in one place.

mod boolean;
mod cascade;
mod dry_run;
mod duration;
mod leading;
mod validate;

pub use boolean::with_booleans;
pub use cascade::{Cascade, delete_options};
pub use dry_run::DryRun;
pub use duration::{duration, timeout};
pub use leading::verb_first;
pub use validate::Validate;

#[cfg(test)]
mod flags_tests;
