//! Lists: which state they are of, and their pages.

use super::Filter;
use super::token::Token;
use crate::write::{Target, store_error};
use raftsman_api::status::{Cause, Status};
use raftsman_state::{Object, ObjectName, Table, View};
use raftsman_store::border::Store;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a read waits for a revision that this master does not have yet.
const CATCH_UP: Duration = Duration::from_secs(3);

/// Upstream's words for a page that can no longer be given.
const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// A list request's query, as it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    /// `limit`; 0 is none.
    pub limit: usize,
    /// `continue`.
    pub token: String,
    /// `resourceVersion`.
    pub resource_version: String,
    /// `resourceVersionMatch`.
    pub matching: String,
}

/// A page.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Its objects.
    pub items: Vec<Arc<Object>>,
    /// `metadata.resourceVersion`.
    pub revision: u64,
    /// `metadata.continue`, if there is more.
    pub token: Option<String>,
    /// `metadata.remainingItemCount`, if it is known.
    pub remaining: Option<usize>,
}

/// A refusal, with what its `metadata` carries.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The error.
    pub status: Status,
    /// `metadata`: a fresh token for an expired page.
    pub metadata: Value,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self { status, metadata: json!({}) }
    }
}

/// The state that a list is of.
enum At {
    /// As the view is.
    Now(View),
    /// The view, rolled back.
    Exactly(View, u64),
}

/// A view at a revision that the client names, or newer.
///
/// # Errors
/// 504 when this master does not get there in time.
pub(crate) async fn wait_for(store: &dyn Store, revision: u64) -> Result<View, Status> {
    let view = store.view();
    if view.revision() >= revision {
        return Ok(view);
    }
    store.at_least(revision, CATCH_UP).await.map_err(|error| store_error(&error))
}

/// One page of a collection.
///
/// # Errors
/// 400 and 422 for a query that contradicts itself, 410 below the floor, 504 above this master's revision.
pub(crate) async fn list(
    store: &dyn Store,
    target: &Target,
    filter: &Filter,
    query: &ListQuery,
) -> Result<Listing, Refused> {
    let token = if query.token.is_empty() { None } else { Some(Token::decode(&query.token)?) };
    let after = token.as_ref().map(Token::last);
    let (table, revision, consistent) = match state_of(store, query, token.as_ref()).await? {
        At::Now(view) => (view.table(&target.resource()).cloned().unwrap_or_default(), view.revision(), true),
        At::Exactly(view, revision) => match view.table_at(&target.resource(), revision) {
            Ok(table) => (table, revision, true),
            Err(compacted) => match &after {
                Some(last) => return Err(expired_page(last)),
                None => {
                    return Err(Status::expired(format!(
                        "The resourceVersion for the provided list is too old: {compacted}"
                    ))
                    .into());
                }
            },
        },
    };
    Ok(page(&table, revision, consistent, target, filter, query.limit, after.as_ref()))
}

async fn state_of(store: &dyn Store, query: &ListQuery, token: Option<&Token>) -> Result<At, Status> {
    let given = query.resource_version.as_str();
    if let Some(token) = token {
        if !matches!(given, "" | "0") {
            return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
        }
        return match token.revision() {
            Some(revision) => Ok(At::Exactly(wait_for(store, revision).await?, revision)),
            None => Ok(At::Now(store.read().await.map_err(|error| store_error(&error))?)),
        };
    }
    let forbidden = |why: &str| {
        let cause = Cause::forbidden("resourceVersionMatch", why);
        Err(Status::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
    };
    let exact = match (query.matching.as_str(), given) {
        ("" | "NotOlderThan", "0") => return Ok(At::Now(store.view())),
        ("", "") => {
            return Ok(At::Now(store.read().await.map_err(|error| store_error(&error))?));
        }
        (_, "") => {
            return forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        ("Exact", "0") => {
            return forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        ("Exact", _) => true,
        // Without a word on how to match, a limited list is exact.
        ("", _) => query.limit > 0,
        ("NotOlderThan", _) => false,
        (other, _) => {
            let cause = Cause::not_supported("resourceVersionMatch", other, &["Exact", "NotOlderThan"]);
            return Err(Status::invalid("meta.k8s.io", "ListOptions", "", vec![cause]));
        }
    };
    let revision: u64 = given
        .parse()
        .map_err(|_| Status::bad_request(format!("invalid resource version {given:?}: it must be a number")))?;
    let view = wait_for(store, revision).await?;
    Ok(if exact { At::Exactly(view, revision) } else { At::Now(view) })
}

fn expired_page(last: &ObjectName) -> Refused {
    let token = Token::new(None, last).encode();
    Refused { status: Status::expired(TOO_OLD), metadata: json!({ "continue": token }) }
}

fn page(
    table: &Table,
    revision: u64,
    consistent: bool,
    target: &Target,
    filter: &Filter,
    limit: usize,
    after: Option<&ObjectName>,
) -> Listing {
    let namespace = if target.namespace.is_empty() { filter.namespace() } else { Some(target.namespace.as_str()) };
    if let (Some(name), true) = (filter.name(), namespace.is_some() || !target.info().namespaced) {
        // One object at most: looked up, not searched.
        let found = table.get(namespace.unwrap_or(""), name).filter(|object| filter.matches(object));
        let items = if after.is_some() { Vec::new() } else { found.cloned().into_iter().collect() };
        return Listing { items, revision, token: None, remaining: None };
    }
    let mut matching = table.list(namespace, after).filter(|object| filter.matches(object));
    if limit == 0 {
        return Listing { items: matching.cloned().collect(), revision, token: None, remaining: None };
    }
    let items: Vec<Arc<Object>> = matching.by_ref().take(limit).cloned().collect();
    let more = items.len() == limit && matching.next().is_some();
    let (mut token, mut remaining) = (None, None);
    if more && let Some(last) = items.last() {
        token = Some(Token::new(consistent.then_some(revision), &last.key.object).encode());
        remaining = filter.is_everything().then(|| 1 + matching.count());
    }
    Listing { items, revision, token, remaining }
}
