//! Chance: the operating system's in a running master, seeded in a simulation.

use openraft::AsyncRuntime;
use openraft::impls::TokioRuntime;
use rand_core::{Infallible, Rng, TryRng};

/// The numbers that Raft draws, for election timeouts.
pub(crate) enum MemberRng {
    /// The thread's generator.
    Thread(<TokioRuntime as AsyncRuntime>::ThreadLocalRng),
    /// A simulated member's.
    Seeded(u64),
}

impl MemberRng {
    /// The generator of the member that runs now.
    pub(crate) fn here() -> Self {
        match super::current() {
            None => Self::Thread(TokioRuntime::thread_rng()),
            Some(member) => Self::Seeded(member.chance()),
        }
    }
}

impl TryRng for MemberRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(match self {
            Self::Thread(rng) => rng.next_u32(),
            Self::Seeded(state) => (splitmix(state) >> 32) as u32,
        })
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(match self {
            Self::Thread(rng) => rng.next_u64(),
            Self::Seeded(state) => splitmix(state),
        })
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self {
            Self::Thread(rng) => rng.fill_bytes(bytes),
            Self::Seeded(state) => {
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&splitmix(state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
        Ok(())
    }
}

/// One random number.
pub(crate) fn random() -> u64 {
    MemberRng::here().next_u64()
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
