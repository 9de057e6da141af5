//! Compiles the `.proto` files, without a `protoc` on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=grpc");
    #[cfg(feature = "grpc")]
    compile()?;
    Ok(())
}

#[cfg(feature = "grpc")]
fn compile() -> Result<(), Box<dyn std::error::Error>> {
    let mut compiler = protox::Compiler::new(["grpc"])?;
    compiler.include_imports(true).open_files([
        "flagd/sync/v1/sync.proto",
        "flagd/evaluation/v1/evaluation.proto",
        "flagd/evaluation/v2/evaluation.proto",
    ])?;
    // What reflection answers with.
    let descriptors = std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("flagd.bin");
    std::fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
