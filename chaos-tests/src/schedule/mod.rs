//! What will be done to a cluster, and when: plain values, made from a seed or read from a file.

mod generate;
mod scenarios;
mod spec;
mod who;

pub use generate::generate;
pub use scenarios::{Lane, Recipe, Scenario, find, scenarios};
pub use spec::{Schedule, Spec, Step};
pub use who::{Who, resolve};

#[cfg(test)]
mod tests;
