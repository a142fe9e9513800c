//! Deleting what a selection names.

use super::{Api, Caller, DeleteOptions, Target};
use crate::read::Filter;
use futures::stream::{self, StreamExt};
use raftsman_api::status::Status;
use raftsman_state::Object;
use std::sync::Arc;

/// Deletions under way at once.
const AT_ONCE: usize = 16;

/// What of a collection: label and field selectors in their query form; empty selects all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `labelSelector`.
    pub labels: String,
    /// `fieldSelector`.
    pub fields: String,
}

impl Api {
    /// Deletes what is selected of the target's namespace (all namespaces if it is empty), and gives what was found. An
    /// object that goes in the meantime is no error.
    ///
    /// # Errors
    /// As [`Api::delete`]; the first one ends it.
    pub async fn delete_collection(
        &self,
        caller: &Caller,
        target: &Target,
        selection: &Selection,
        options: &DeleteOptions,
    ) -> Result<Vec<Arc<Object>>, Status> {
        let filter = Filter::parse(target.kind, &selection.labels, &selection.fields)?;
        let view = self.store.read().await.map_err(|e| super::store_error(&e))?;
        let namespace = (!target.namespace.is_empty()).then_some(target.namespace.as_str());
        let found: Vec<Arc<Object>> =
            view.list(&target.resource(), namespace).filter(|object| filter.matches(object)).cloned().collect();
        let deletions = stream::iter(found.into_iter().map(|object| async move {
            let one = Target::new(target.kind, object.key.namespace(), object.key.name());
            match self.delete(caller, &one, options).await {
                Ok(deleted) => Ok(Some(deleted.object)),
                Err(gone) if gone.code == 404 => Ok(None),
                Err(other) => Err(other),
            }
        }));
        let mut deletions = deletions.buffered(AT_ONCE);
        let mut deleted = Vec::new();
        while let Some(result) = deletions.next().await {
            deleted.extend(result?);
        }
        Ok(deleted)
    }
}
