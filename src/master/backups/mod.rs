//! Backups that the leader makes by itself, as its host's configuration says (`backup`).

mod name;
mod plan;
mod schedule;

pub use schedule::ScheduledBackups;
