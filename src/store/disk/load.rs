//! Building the state in memory from its database.

use crate::codec::decode;
use crate::disk::db::StateDb;
use crate::disk::record::{self, Progress, Record};
use crate::files::MEND;
use raftsman_state::{Object, Resource, SessionRecord, State};
use std::collections::{BTreeMap, HashMap};
use std::io;

/// A state and how far it is.
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) progress: Progress,
}

/// Reads everything.
pub(crate) fn load(db: &StateDb) -> io::Result<Loaded> {
    let progress = db.progress()?;
    let mut floors = Vec::new();
    db.scan(record::FLOOR, |key, value| {
        let name = std::str::from_utf8(key.get(1..).unwrap_or_default()).map_err(invalid)?;
        floors.push((Resource::from(name), decode::<u64>(value)?));
        Ok(())
    })?;
    let sessions = sessions(db)?;
    let mut state =
        State::restored(progress.revision, progress.term, progress.epoch, progress.base_floor, floors, sessions);
    let mut resources: HashMap<String, Resource> = HashMap::new();
    db.scan(record::CHANGE, |key, value| {
        let [revision] = record::numbers(record::CHANGE, key).ok_or_else(|| invalid("key of a change"))?;
        let Record { mut key, content, .. } = decode(value)?;
        // One shared name per resource instead of one per object.
        key.resource = resources.entry(key.resource.as_str().to_owned()).or_insert(key.resource).clone();
        let object = content.map(|(meta, body)| Object::new(key.clone(), meta, &body, revision));
        state.load(&key, revision, object);
        Ok(())
    })?;
    Ok(Loaded { state, progress })
}

/// Reads everything and keeps nothing.
pub(crate) fn check(db: &StateDb) -> io::Result<()> {
    if db.progress()?.applied.is_none() {
        return Err(invalid("how far it is"));
    }
    db.scan(record::FLOOR, |_, value| decode::<u64>(value).map(drop))?;
    drop(sessions(db)?);
    db.scan(record::CHANGE, |_, value| decode::<Record>(value).map(drop))
}

fn sessions(db: &StateDb) -> io::Result<BTreeMap<u64, SessionRecord>> {
    let mut sessions = BTreeMap::new();
    db.scan(record::SESSION, |key, value| {
        let [member] = record::numbers(record::SESSION, key).ok_or_else(|| invalid("key of a session"))?;
        sessions.insert(member, decode(value)?);
        Ok(())
    })?;
    Ok(sessions)
}

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the state is damaged: {what} is not as it was written. {MEND}"))
}
