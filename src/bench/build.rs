//! Compiles the two contracts without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(["proto/bench.proto", "proto/etcd.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    Ok(())
}
