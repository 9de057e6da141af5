//! What a flag may serve.

use std::collections::BTreeSet;

use ripcord_proto::rule::Serve;
use ripcord_proto::{Flag, VariantName};

/// The variants that a flag may serve to any user, if it is not killed.
pub(super) fn may_serve(flag: &Flag) -> BTreeSet<&VariantName> {
    let mut served = BTreeSet::new();
    if !flag.enabled {
        return served;
    }
    let mut default = true;
    for rule in &flag.rules {
        match &rule.serve {
            Serve::Variant(variant) => drop(served.insert(variant)),
            Serve::Split(split) => served.extend(split.shares().iter().filter(|share| share.weight.units() > 0).map(|share| &share.variant)),
            Serve::JsonLogic(_) => served.extend(flag.variants.names()),
        }
        if rule.when.is_none() {
            default = matches!(rule.serve, Serve::Split(_) | Serve::JsonLogic(_)) || !flag.requires.is_empty();
            break;
        }
    }
    if default {
        served.extend(&flag.default);
    }
    served
}
