//! A backup becomes this host's data directory.

use crate::serve::own_store;
use crate::{MasterError, Pems};
use raftsman_api::config::HostConfig;
use raftsman_backup::Reader;
use raftsman_store::Restored;
use std::io::Read;

/// Makes this host, which must not have run yet, the first master of a new cluster that holds what a backup holds. The other
/// masters start with empty data directories and get it from this one. The cluster's id is the configuration's: with the
/// backup's own, nodes that still run go on with their pods; with another, they are strangers.
///
/// # Errors
/// What is in the way; nothing was changed then.
pub async fn restore<R: Read>(config: &HostConfig, reader: &mut Reader<R>) -> Result<Restored, MasterError> {
    let pems = Pems::read(&config.pki)?;
    let store = own_store(config, &pems)?;
    raftsman_store::restore(&store, reader).await.map_err(|error| MasterError::Store(error.to_string()))
}
