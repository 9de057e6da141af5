//! The engines of flagd's clients, and the generation of the bucketing hash that each uses.

use crate::settings::Bucketing;

/// A generation of the bucketing hash, as flagd's clients have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum EngineGeneration {
    /// A float percentage of the signed hash. No environment can be set to it.
    V1,
    /// The UTF-8 bytes of the bucketing text.
    V2,
    /// The bucketing text as CBOR.
    V3,
}

/// The agents of flagd's clients that evaluate by themselves, and the generations that their published versions use.
const ENGINES: [(&str, &[EngineGeneration]); 5] = [
    ("grpc-go", &[EngineGeneration::V2]),
    ("grpc-node", &[EngineGeneration::V2]),
    ("grpc-java", &[EngineGeneration::V1, EngineGeneration::V2]),
    ("grpc-python", &[EngineGeneration::V2, EngineGeneration::V3]),
    ("tonic", &[EngineGeneration::V3]),
];

impl EngineGeneration {
    /// The generations that the engine of a client may use, by the client's agent: `grpc-go/1.76.0`. Empty if the client is not known.
    pub fn of_agent(agent: &str) -> &'static [Self] {
        let known = ENGINES.iter().find(|(name, _)| agent.split_whitespace().any(|part| part.starts_with(name)));
        known.map_or(&[], |(_, generations)| generations)
    }

    /// Whether an engine with one of these generations surely splits users differently from an environment with this setting.
    pub fn differ(generations: &[Self], environment: Bucketing) -> bool {
        let own = match environment {
            Bucketing::V2 => Self::V2,
            Bucketing::V3 => Self::V3,
        };
        !generations.is_empty() && !generations.contains(&own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_tells_which_generations_its_engine_may_use() {
        let differs = |agent: &str, environment| EngineGeneration::differ(EngineGeneration::of_agent(agent), environment);
        for agent in ["grpc-go/1.76.0", "grpc-node-js/1.14.0", "grpc-java-netty/1.76.0", "flagd/0.12 grpc-go/1.76.0"] {
            assert!(differs(agent, Bucketing::V3), "{agent}");
            assert!(!differs(agent, Bucketing::V2), "{agent}");
        }
        assert!(differs("tonic/0.14.2", Bucketing::V2) && !differs("tonic/0.14.2", Bucketing::V3));
        for environment in [Bucketing::V2, Bucketing::V3] {
            assert!(
                !differs("grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)", environment),
                "it depends on the version of its core"
            );
            assert!(!differs("curl/8.5.0", environment));
        }
    }
}
