//! What commands print: columns, objects, errors.

mod format;

use std::io::Write as _;

pub use format::{Format, Objects};

/// `print!` for a command's output: when nobody reads it any more (`raftsman get pods | head`), the program ends without a word.
#[macro_export]
macro_rules! out {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

/// `println!` as [`out!`] does it.
#[macro_export]
macro_rules! outln {
    () => { $crate::out!("\n") };
    ($($text:tt)*) => { $crate::out!("{}\n", format_args!($($text)*)) };
}

/// What a shell says of a program that a closed pipe ended (128 + SIGPIPE).
const CLOSED_PIPE: i32 = 141;

/// Prints to standard output; see [`out!`].
pub fn write(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        cannot_print(&error);
    }
}

/// Ends the program, whose output has nowhere to go.
pub fn cannot_print(error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(CLOSED_PIPE);
    }
    eprintln!("error: cannot write to standard output: {error}");
    std::process::exit(1)
}

/// Rows with their cells padded to the widest, three spaces apart, as kubectl prints them.
pub fn columns<R: AsRef<[String]>>(rows: &[R]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.as_ref().iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = (*widest).max(width),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        text.push_str(&padded(row.as_ref(), &widths));
    }
    text
}

/// One row with at least these widths.
pub fn padded(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (at, cell) in cells.iter().enumerate() {
        line.push_str(cell);
        if at + 1 < cells.len() {
            let width = widths.get(at).copied().unwrap_or_default();
            line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count()) + 3));
        }
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

/// Says on standard error what was wrong; what a server said stands as kubectl would print it.
pub fn print_error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    if text.starts_with("Error from server") { eprintln!("{text}") } else { eprintln!("error: {text}") }
}

/// Errors of a command that goes on after one.
#[derive(Debug, Default)]
pub struct Finish {
    failed: bool,
}

impl Finish {
    /// Says what was wrong.
    pub fn error(&mut self, error: &anyhow::Error) {
        self.failed = true;
        print_error(error);
    }

    /// Nothing was.
    pub fn is_clean(&self) -> bool {
        !self.failed
    }

    /// 1 if anything was.
    pub fn code(&self) -> std::process::ExitCode {
        if self.failed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
    }
}
