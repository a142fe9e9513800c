//! The ordered map under objects, indexes and chunks of history: cloned in O(1), copied where it is written.

/// Entries that lie in one chunk. A write copies the chunks that it touches if a view still holds them, each entry with the
/// reference counts in it, and every batch leaves such a view behind: with the crate's own 512 these copies were the
/// larger part of the time on the Raft thread. Smaller ones cost scans a little.
const CHUNK: usize = 32;

/// See the module.
pub(crate) type PersistentMap<K, V> = immutable_chunkmap::map::Map<K, V, CHUNK>;
