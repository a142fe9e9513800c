//! The cluster under test: brought up with disks and clocks that can be broken, asked, and taken down.

mod api;
mod claims;
mod clock;
mod disks;
mod rules;
mod shell;
mod testbed;

pub use api::{Answer, Api, ask};
pub use claims::{Claim, Claims, Part};
pub use clock::Clocks;
pub use disks::Disks;
pub use rules::Rules;
pub use shell::{run, try_run};
pub use testbed::Lab;
