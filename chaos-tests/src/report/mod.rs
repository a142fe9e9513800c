//! What a person reads of a run: a page that needs nothing else, and a summary for a terminal. Pure: a record and its
//! verdicts go in, text comes out.

mod chart;
mod html;
mod kept;
mod model;
mod overall;
mod recovery;
mod terminal;

pub use html::page;
pub use kept::{FILE, KeptRequests, KeptTimes, KeptVerdict, Run};
pub use model::{Model, Second};
pub use overall::overall;
pub use recovery::{Recovery, recoveries};
pub use terminal::summary;

#[cfg(test)]
mod tests;
