//! Load on a cluster, and what it measured.

mod background;
mod closed;
mod fanout;
mod measured;
mod values;

pub(crate) use background::Background;
pub(crate) use closed::{Load, Operation, Until, closed_loop};
pub(crate) use fanout::{FanOut, fan_out};
pub(crate) use measured::Measured;
pub(crate) use values::{fill, key, value};
