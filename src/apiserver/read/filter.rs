//! Label and field selectors over what is extracted from objects: nothing is decoded to select it.

use raftsman_api::kind::Strategy;
use raftsman_api::selector::{FieldSelector, Selector};
use raftsman_api::status::Status;
use raftsman_state::Object;

/// A selection within a collection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    labels: Selector,
    fields: FieldSelector,
}

impl Filter {
    /// Reads both selectors as the query has them.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub(crate) fn parse(kind: &dyn Strategy, labels: &str, fields: &str) -> Result<Self, Status> {
        let labels = Selector::parse(labels)
            .map_err(|error| Status::bad_request(format!("unable to parse requirement: {error}")))?;
        let fields = FieldSelector::parse(fields, kind.selectable_fields())
            .map_err(|error| Status::bad_request(error.to_string()))?;
        Ok(Self { labels, fields })
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.labels.matches(|key| object.meta.label(key))
            && self.fields.matches(|field| match field {
                "metadata.name" => Some(object.key.name()),
                "metadata.namespace" => Some(object.key.namespace()),
                _ => object.meta.field(field),
            })
    }

    /// Everything is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// The one name that can be selected, if the fields say so.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }

    /// The one namespace that can be selected, if the fields say so.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.fields.exact("metadata.namespace")
    }
}
