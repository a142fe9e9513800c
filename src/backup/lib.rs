//! Backup files: what a cluster holds at one revision, in one file that can be checked without a cluster.
//!
//! What lives here: the format, its checksums and its encryption, writing a [`raftsman_state::View`] into it and reading it
//! back. What must not: network, data directories of members, command lines.
//!
//! # The format
//!
//! All numbers are little-endian; values are in postcard's encoding.
//!
//! ```text
//! magic "RAFTSMAN-BACKUP\n", version u16, length u16, header (how it is sealed), CRC-32 of all that
//! blocks:  kind u8, length u32, content, CRC-32 of kind, length and content
//!          kinds: 1 manifest (first) · 2 a key or certificate · 3 objects · 4 end (totals)
//! SHA-256 of everything before
//! ```
//!
//! A block's content is compressed (LZ4) and, in a sealed file, then encrypted: ChaCha20-Poly1305 (RFC 8439) under a key made
//! of the passphrase and a salt of this file by Argon2id (RFC 9106); the nonce is the block's number, and the file's header and
//! the block's kind are authenticated with it. So blocks can be neither changed, reordered, dropped, nor taken from another
//! file. Without the passphrase, checksums tell whether a sealed file is whole, nothing else.

mod block;
mod check;
mod error;
mod file;
mod hashing;
mod header;
mod manifest;
mod passphrase;
mod reader;
mod record;
mod seal;
mod writer;

pub use check::{Outline, outline};
pub use error::BackupError;
pub use file::{Written, write_file};
pub use manifest::{Manifest, MemberNote};
pub use passphrase::Passphrase;
pub use reader::{Item, Reader};
pub use record::{KeyFile, Record};
pub use writer::{Totals, Writer, write_view};

#[cfg(test)]
mod backup_tests;
