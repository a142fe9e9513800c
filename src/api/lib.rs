//! The language: Kubernetes kinds, and everything that is true of an object without I/O.
//!
//! What lives here: the registry of kinds, one strategy per kind (defaults, validation, update rules, printer columns,
//! indexed fields), selectors, quantities, patches, field ownership, OpenAPI. What must not: sockets, disks, clocks
//! (time is passed in), the store, and any decision that needs another object than the one at hand.

pub mod cause;
pub mod config;
pub mod duration;
pub mod fencing;
pub mod format;
pub mod indexes;
pub mod kind;
mod kinds;
pub mod managed_fields;
pub mod meta;
pub mod metadata;
pub mod names;
pub mod openapi;
pub mod patch;
pub mod pod;
pub mod quantity;
pub mod registry;
pub mod schema;
pub mod selector;
pub mod status;
pub mod strict;
pub mod time;
pub mod value;
pub mod volumes;
