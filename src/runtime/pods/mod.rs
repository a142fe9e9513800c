//! The agent's side: [`LocalPods`] implements [`crate::border::Pods`] by the files of a state directory and one
//! supervisor per pod.

mod adopt;
mod client;
mod config;
mod events;
mod exec;
mod files;
#[cfg(test)]
mod golden_tests;
mod io;
mod lifecycle;
mod local;
mod logs;
pub(crate) mod logview;
mod pidfd;
mod pipes;
mod plan;
mod promise;
mod purge;
mod run;
mod status;
mod stop;
mod users;

pub use config::PodsConfig;
pub use local::LocalPods;
pub(crate) use promise::PromisePage;
pub use purge::purge;
