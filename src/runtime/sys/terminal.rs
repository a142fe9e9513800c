//! Terminals.

use std::io;
use std::os::fd::AsRawFd;

/// Sets a terminal's size in characters.
pub(crate) fn set_terminal_size(terminal: &impl AsRawFd, width: u16, height: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a valid winsize.
    if unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) } < 0 {
        return Err(super::os_error("set the terminal's size"));
    }
    Ok(())
}
