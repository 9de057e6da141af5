//! Compiles the `.proto` files, without a `protoc` on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=grpc");
    #[cfg(feature = "grpc")]
    compile()?;
    Ok(())
}

#[cfg(feature = "grpc")]
fn compile() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "grpc/flagd/sync/v1/sync.proto",
        "grpc/flagd/evaluation/v1/evaluation.proto",
        "grpc/flagd/evaluation/v2/evaluation.proto",
    ];
    let descriptors = protox::compile(files, ["grpc"])?;
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
