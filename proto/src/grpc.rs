//! flagd's gRPC messages and services, as the compiler makes them of the files in `proto/grpc`.

macro_rules! generated {
    ($(#[$doc:meta])* $name:ident = $package:literal) => {
        $(#[$doc])*
        #[allow(
            clippy::all,
            clippy::pedantic,
            missing_docs,
            unreachable_pub,
            clippy::allow_attributes_without_reason,
            reason = "made by the compiler of the .proto files"
        )]
        pub mod $name {
            tonic::include_proto!($package);
        }
    };
}

generated! {
    /// Loading flags, to evaluate them elsewhere.
    sync_v1 = "flagd.sync.v1"
}
generated! {
    /// flagd's protocol for remote evaluation.
    evaluation_v1 = "flagd.evaluation.v1"
}
generated! {
    /// Remote evaluation in which an answer may hold no value.
    evaluation_v2 = "flagd.evaluation.v2"
}

/// The compiled files, with what they import, as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/flagd.bin"));
