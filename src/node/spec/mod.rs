//! A pod in the runtime's terms: environment, command lines, limits, privileges, resolver. Pure.

mod container;
mod dns;
mod downward;
mod env;
mod expand;
mod host_dns;
mod links;
mod pod;
pub mod resources;
mod security;

pub use container::{BoundMount, container_spec, image_reference};
pub use dns::{Resolver, resolv_conf};
pub use downward::{Facts, field, resource_field};
pub use env::{Environment, environment};
pub use expand::expand;
pub use host_dns::{choose, servers};
pub use links::service_links;
pub use pod::{hostname, pod_spec};

/// The pod asks for something that cannot be made from what is known (`CreateContainerConfigError`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

#[cfg(test)]
mod env_tests;
#[cfg(test)]
mod spec_tests;
