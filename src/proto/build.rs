//! Compiles the contracts without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files =
        ["node", "agent", "leader", "raft", "membership"].map(|name| format!("../../proto/raftsman/v1/{name}.proto"));
    println!("cargo:rerun-if-changed=../../proto");
    let set = protox::compile(&files, ["../../proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    Ok(())
}
