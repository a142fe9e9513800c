//! The trait that the control plane's virtual address is carried by.

use crate::border::NetworkError;
use std::io;
use std::time::Duration;

/// Sends an Ethernet frame out of an interface. The room that may is `runtime`.
pub type SendFrame = fn(u32, &[u8]) -> io::Result<()>;

/// An address that one of several machines carries, for as long as it says so.
#[async_trait::async_trait]
pub trait VirtualAddress: Send + Sync + 'static {
    /// Puts it on this machine, or renews it. The kernel takes it away after this time (whole seconds, and up to one
    /// more), whatever has become of this process.
    async fn hold(&self, lifetime: Duration) -> Result<(), NetworkError>;

    /// Tells the link that it is here.
    async fn announce(&self) -> Result<(), NetworkError>;

    /// Takes it away. Not there is fine.
    async fn release(&self) -> Result<(), NetworkError>;
}
