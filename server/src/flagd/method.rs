//! The methods of flagd's three services, by their paths.

use connectrpc::dispatcher::MethodDescriptor;

/// The listener that serves a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagdPort {
    Sync,
    Evaluation,
}

impl FlagdPort {
    /// The services of the listener.
    pub(super) const fn services(self) -> &'static [&'static str] {
        match self {
            Self::Sync => &["flagd.sync.v1.FlagSyncService"],
            Self::Evaluation => &["flagd.evaluation.v1.Service", "flagd.evaluation.v2.Service"],
        }
    }
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagdMethod {
    SyncFlags,
    FetchAllFlags,
    GetMetadata,
    Resolve(EvaluationVersion, ValueKind),
    ResolveAll,
    EventStream,
}

/// The version of the evaluation service. Their messages have the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EvaluationVersion {
    /// An answer always has a value.
    V1,
    /// An answer may have no value.
    V2,
}

/// What a value is asked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Boolean,
    String,
    Float,
    Int,
    Object,
}

impl FlagdMethod {
    /// The method at `package.Service/Method`.
    pub(super) fn at(path: &str) -> Option<Self> {
        let (service, method) = path.split_once('/')?;
        match service {
            "flagd.sync.v1.FlagSyncService" => Self::of_sync(method),
            "flagd.evaluation.v1.Service" if method == "ResolveAll" => Some(Self::ResolveAll),
            "flagd.evaluation.v1.Service" => Self::of_evaluation(EvaluationVersion::V1, method),
            "flagd.evaluation.v2.Service" => Self::of_evaluation(EvaluationVersion::V2, method),
            _ => None,
        }
    }

    fn of_sync(method: &str) -> Option<Self> {
        match method {
            "SyncFlags" => Some(Self::SyncFlags),
            "FetchAllFlags" => Some(Self::FetchAllFlags),
            "GetMetadata" => Some(Self::GetMetadata),
            _ => None,
        }
    }

    fn of_evaluation(version: EvaluationVersion, method: &str) -> Option<Self> {
        let kind = match method {
            "ResolveBoolean" => ValueKind::Boolean,
            "ResolveString" => ValueKind::String,
            "ResolveFloat" => ValueKind::Float,
            "ResolveInt" => ValueKind::Int,
            "ResolveObject" => ValueKind::Object,
            "EventStream" => return Some(Self::EventStream),
            _ => return None,
        };
        Some(Self::Resolve(version, kind))
    }

    pub(super) const fn port(self) -> FlagdPort {
        match self {
            Self::SyncFlags | Self::FetchAllFlags | Self::GetMetadata => FlagdPort::Sync,
            Self::Resolve(..) | Self::ResolveAll | Self::EventStream => FlagdPort::Evaluation,
        }
    }

    pub(super) const fn descriptor(self) -> MethodDescriptor {
        match self {
            Self::SyncFlags | Self::EventStream => MethodDescriptor::server_streaming(),
            Self::FetchAllFlags | Self::GetMetadata | Self::Resolve(..) | Self::ResolveAll => MethodDescriptor::unary(false),
        }
    }
}
