//! The bytes of a simulated file: what programs see, and what a power cut leaves.

use crate::files::SECTOR;
use crate::sim::{Chance, Loss};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

type Sector = Arc<[u8; SECTOR]>;

/// Sectors that were written, and a length. Absent ones are zeroes.
#[derive(Debug, Clone, Default)]
struct Image {
    sectors: BTreeMap<u64, Sector>,
    len: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    now: Image,
    durable: Image,
    /// Sectors written since the last sync.
    dirty: BTreeSet<u64>,
    /// All of them: the file was made anew.
    renewed: bool,
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.now.len
    }

    pub(crate) fn read(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        if offset + into.len() as u64 > self.now.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (sector, start, from, to) in pieces(offset, into.len()) {
            match self.now.sectors.get(&sector) {
                Some(bytes) => into[from..to].copy_from_slice(&bytes[start..start + to - from]),
                None => into[from..to].fill(0),
            }
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) {
        for (sector, start, from, to) in pieces(offset, bytes.len()) {
            let held = self.now.sectors.entry(sector).or_insert_with(|| Arc::new([0; SECTOR]));
            Arc::make_mut(held)[start..start + to - from].copy_from_slice(&bytes[from..to]);
            self.dirty.insert(sector);
        }
        self.now.len = self.now.len.max(offset + bytes.len() as u64);
    }

    /// This long, and all zeroes.
    pub(crate) fn renew(&mut self, len: u64) {
        self.now = Image { sectors: BTreeMap::new(), len };
        self.renewed = true;
    }

    pub(crate) fn sync(&mut self) {
        if self.renewed {
            self.durable = self.now.clone();
        }
        for sector in std::mem::take(&mut self.dirty) {
            if let Some(bytes) = self.now.sectors.get(&sector) {
                self.durable.sectors.insert(sector, bytes.clone());
            }
        }
        self.durable.len = self.now.len;
        self.renewed = false;
    }

    /// What the power cut leaves: each sector that was not synced is old or new.
    pub(crate) fn cut(&mut self, chance: &mut Chance, loss: Loss) {
        let mut open = std::mem::take(&mut self.dirty);
        if std::mem::take(&mut self.renewed) {
            open.extend(self.now.sectors.keys().chain(self.durable.sectors.keys()));
        }
        for sector in open {
            if !chance.percent(loss.stays()) {
                continue;
            }
            match self.now.sectors.get(&sector) {
                Some(bytes) => self.durable.sectors.insert(sector, bytes.clone()),
                None => self.durable.sectors.remove(&sector),
            };
        }
        if self.durable.len != self.now.len && chance.percent(loss.stays()) {
            self.durable.len = self.now.len;
        }
        let end = self.durable.len;
        self.durable.sectors.retain(|sector, _| sector * (SECTOR as u64) < end);
        self.now = self.durable.clone();
    }

    /// Turns one bit around, on the disk itself. False if there is none.
    pub(crate) fn flip(&mut self, chance: &mut Chance) -> bool {
        let written: Vec<u64> = self.durable.sectors.keys().copied().collect();
        let Some(sector) = chance.pick(&written).copied() else {
            return false;
        };
        let (byte, bit) = (chance.range(0..SECTOR as u64) as usize, chance.range(0..8));
        for image in [&mut self.now, &mut self.durable] {
            if let Some(bytes) = image.sectors.get_mut(&sector) {
                Arc::make_mut(bytes)[byte] ^= 1 << bit;
            }
        }
        true
    }
}

/// Sector, offset within it, and the range of the buffer that belongs there.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == len {
            return None;
        }
        let position = offset + at as u64;
        let start = (position % SECTOR as u64) as usize;
        let to = len.min(at + SECTOR - start);
        let piece = (position / SECTOR as u64, start, at, to);
        at = to;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bytes(content: &Content) -> Vec<u8> {
        let mut out = vec![0; content.len() as usize];
        content.read(&mut out, 0).unwrap();
        out
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_is_old_or_new_by_sectors() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..64 {
            let mut content = Content::default();
            content.renew(3 * SECTOR as u64);
            content.write(&[1; 700], 100);
            content.sync();
            content.write(&[2; 600], 200);
            content.cut(&mut Chance::new(seed), Loss::Torn);
            let found = bytes(&content);
            assert_eq!(found.len(), 3 * SECTOR);
            assert!(found[..100].iter().all(|b| *b == 0) && found[100..200].iter().all(|b| *b == 1));
            let (first, second) = (found[200], found[SECTOR]);
            assert!(found[200..SECTOR].iter().all(|b| *b == first));
            assert!(found[SECTOR..800].iter().all(|b| *b == second));
            outcomes.insert((first, second));
        }
        assert_eq!(outcomes, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
    }
}
