//! The machine, and the node object that is made of it.

mod machine;
mod node;

pub use machine::Machine;
pub use node::{node_object, says};
