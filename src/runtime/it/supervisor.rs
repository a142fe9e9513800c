//! The pod supervisor as a program of its own, for this room's tests.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    std::process::exit(raftsman_runtime::supervisor::main(&args));
}
