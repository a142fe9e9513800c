//! `raftsman pki`.

mod command;

pub use command::{PkiCommand, run};
