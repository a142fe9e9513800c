//! YAML as kubectl reads and writes it: 1.1, where `yes` is true and `0400` is octal.

mod read;
mod scalar;
mod write;

pub use read::{Unreadable, read};
pub use scalar::{Scalar, resolve};
pub use write::write;
