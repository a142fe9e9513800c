//! Kinds: what they are called, and the one trait that each implements.

mod info;
mod strategy;
mod typed;

pub use info::{Column, KindInfo, Subresource};
pub use strategy::{Decoded, DeletionGrace, Moment, Strategy};
pub use typed::{Kind, Typed, typed};
