//! nf_tables over netlink: a small encoder of just what our rules need.

mod attr;
mod conntrack;
mod error;
mod expr;
mod op;
mod socket;

pub use attr::{Attrs, attribute, attributes};
pub use conntrack::{Flow, delete_flows};
pub use error::NftError;
pub use expr::{Expr, Header, MetaKey, Verdict, reg};
pub use op::{Base, Data, DataType, Element, Hook, Op, Set, SetKind};
pub use socket::NftSocket;
