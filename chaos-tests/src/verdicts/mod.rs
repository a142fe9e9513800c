//! What must be true of a run on real processes, one file each. Pure: a record goes in, a verdict comes out.

mod completeness;
mod deployment;
mod excused;
mod excuses;
mod faults;
mod followed;
mod gaps;
mod given_away;
mod identities;
mod jobs;
mod kept;
mod once;
mod ranks;
mod recovery;
mod reigns;
mod service;
mod shared;
pub mod times;
mod undisturbed;
mod watched;

pub use excuses::Excuses;
pub use reigns::{Reign, reigns};

use crate::record::Record;

/// A property of a run.
pub trait Verdict: Sync {
    /// What holds, in a few words.
    fn name(&self) -> &'static str;

    /// Checks it: what it rests on.
    ///
    /// # Errors
    /// What broke it.
    fn check(&self, record: &Record) -> Result<String, String>;
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Which.
    pub name: String,
    /// What it rests on, or what broke it.
    pub outcome: Result<String, String>,
}

/// All of them, judged.
pub fn judge(record: &Record) -> Vec<Judged> {
    let mut all = shared::judge(record);
    let own: [&dyn Verdict; 20] = [
        &watched::Watched,
        &followed::OnAndOn,
        &identities::Identities,
        &given_away::GivenAway,
        &kept::Kept,
        &jobs::Jobs,
        &deployment::Deployment,
        &undisturbed::Undisturbed,
        &excused::Excused,
        &gaps::Answered,
        &gaps::Slow,
        &recovery::NextWrite,
        &recovery::AtWork,
        &recovery::Address,
        &once::Once,
        &once::Connections,
        &recovery::Replaced,
        &service::FullService,
        &completeness::Completeness,
        &faults::Faults,
    ];
    all.extend(own.iter().map(|one| Judged { name: one.name().to_owned(), outcome: one.check(record) }));
    all
}

#[cfg(test)]
mod tests;
