//! What a member counts and times, in Prometheus' names and text form.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: seconds and bytes, `_total` for what only grows.

mod histogram;
mod registry;
mod text;

pub(crate) use histogram::Histogram;
pub(crate) use registry::{Metrics, QUEUES, Queue};
pub(crate) use text::Text;
