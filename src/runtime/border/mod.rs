//! The room's door: the traits that the node agent plans against, and the plain data they speak.

mod container;
mod error;
mod fence;
mod images;
mod pod;
mod pods;
mod streams;

pub use container::{ContainerPhase, ContainerSpec, ContainerStatus, Exit, Limits, Mount, MountSource, Security};
pub use error::RuntimeError;
pub use fence::{FenceStatus, Promise};
pub use images::{ImageConfig, ImageInfo, Images, ResolvedImage};
pub use pod::{PodSpec, PodStatus, QosClass};
pub use pods::{Pods, RuntimeEvent};
pub use streams::{AttachIo, ExecRequest, LogOptions, TerminalSize};
