//! The room's door: what everyone else needs of a replicated store.

mod error;
mod health;
mod members;
mod store;

pub use error::StoreError;
pub use health::{Health, Leadership, MemberStatus, StoreStatus};
pub use members::{Change, ChangeError, Changed, MOST_VOTERS, MemberAt, Members};
pub use store::Store;
