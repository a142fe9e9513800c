//! The one write path: everything that changes an object goes through [`Api`], whoever asks.
//!
//! A write is a pure plan over a [`raftsman_state::View`] (decode, default, admit, prepare, validate, stamp, and the
//! transaction that follows), proposed, and planned again on a fresh view when another write came first. The view of this
//! master serves first; an answer that a stale view could have caused (a refusal, "nothing to change") is judged again on
//! a linearizable one.
//!
//! ```text
//! let api = Api::new(store, ApiConfig::default());
//! let caller = Caller::duty("system:serviceaccount:kube-system:replicaset-controller", "kube-controller-manager", term);
//! let pod = api.create(&caller, &Target::new(pods, "default", ""), json, &WriteOptions::default()).await?;
//! api.modify(&caller, &target.part(Subresource::Status), |pod| Some(with_phase(pod))).await?;
//! api.bind(&caller, "default", "web-1", &Binding::to("n1")).await?;
//! api.delete(&caller, &target, &DeleteOptions::default()).await?;
//! ```

mod api;
mod apply;
mod bind;
mod caller;
mod collection;
mod create;
mod decode;
mod delete;
mod deletion;
mod encode;
mod errors;
mod managers;
mod options;
mod patch;
mod plan;
mod reserve;
mod scale;
mod target;
mod update;

pub use api::Api;
pub use bind::Binding;
pub use caller::Caller;
pub use collection::Selection;
pub use delete::Deleted;
pub(crate) use errors::store_error;
pub(crate) use managers::{check_name, is_printable};
pub use options::{DeleteOptions, FieldValidation, Preconditions, Propagation, Warnings, WriteOptions};
pub use patch::PatchKind;
pub(crate) use reserve::reservation;
pub(crate) use scale::scale_of;
pub use target::Target;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod unique_tests;
#[cfg(test)]
mod write_tests;
