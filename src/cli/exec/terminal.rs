//! Our own terminal.

use anyhow::Context;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::IsTerminal;

/// Standard input is a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Passes every key on; as it was before when dropped.
pub(super) struct RawMode(Termios);

impl RawMode {
    pub(super) fn enter() -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("terminal")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &raw).context("terminal")?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // It may be gone, and we with it.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Rows and columns.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_row, size.ws_col))
}
