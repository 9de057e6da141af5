//! The JSON Schema (draft 2020-12) of flags files, with which editors complete and check them.
//!
//! It covers what can be checked without comparing two places of a file. The parser also checks which variants a flag has,
//! the sums of weights, references, and the syntax of expressions. Everything that the schema refuses, the
//! parser refuses too. The OpenAPI document uses the same definitions.

use serde_json::{Value, json};

use crate::condition::{FORMS, OPERATORS};
use crate::limits;

/// The id of the schema of this version.
const ID: &str = "urn:ripcord:schema:flags";
/// The pattern of a flag's key and of a variant's name: no control characters, nothing that turns the direction of writing, and no space
/// at either end.
const FREE: &str = "^[^\\s\\p{Cc}\\u061C\\u200E\\u200F\\u2028-\\u202E\\u2066-\\u2069\\uFEFF]([^\\p{Cc}\\u061C\\u200E\\u200F\\u2028-\\u202E\\u2066-\\u2069\\uFEFF]*[^\\s\\p{Cc}\\u061C\\u200E\\u200F\\u2028-\\u202E\\u2066-\\u2069\\uFEFF])?$";
/// The pattern of a segment's key, and of all names of the same form.
const KEY: &str = "^[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}._:/-]*$";
/// `12.5%`
const PERCENTAGE: &str = "^(0?[0-9]{1,2}(\\.[0-9]{1,3})?|100(\\.0{1,3})?)\\s*%$";
/// The largest number that every JSON reader can represent.
const NUMBER_MAX: u64 = limits::NUMBER_MAX;

/// The schema of a flags file.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Ripcord flags file",
        "description": "The flags and segments of an environment, or of a file set of it, as people keep them in a repository.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "environment": {
                "description": "The environment that it is meant for; a file without it can be applied anywhere",
                "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$", "not": {"const": "system"},
            },
            "set": key("The file set that it belongs to. A set changes what it owns and nothing else; without a name it is the set default"),
            "segments": {
                "description": "Named, reusable conditions",
                "type": "object", "maxProperties": limits::SEGMENTS,
                "propertyNames": key_name(), "additionalProperties": reference("Segment"),
            },
            "flags": {
                "description": "The flags, by key",
                "type": "object", "maxProperties": limits::FLAGS,
                "propertyNames": free_name(), "additionalProperties": reference("Flag"),
            },
        },
        "$defs": definitions(),
    })
}

/// The definitions by name: `Flag`, `Segment`, `Rule`, `Condition`, `Split`, `Check`.
pub fn definitions() -> Value {
    json!({
        "Flag": flag(),
        "Segment": {
            "description": "A named, reusable condition: the bare condition, or one with a description",
            "anyOf": [
                reference("Condition"),
                {
                    "type": "object", "required": ["when"], "additionalProperties": false,
                    "properties": {"description": prose("For people"), "when": reference("Condition")},
                },
            ],
        },
        "Rule": {
            "description": "When its condition holds it serves, and no later rule is tried",
            "type": "object", "required": ["serve"], "additionalProperties": false,
            "properties": {
                "id": key("Unique within the flag"),
                "when": reference("Condition"),
                "serve": {
                    "description": "A variant of the flag, a split, or a JSONLogic rule that names the variant",
                    "anyOf": [free("A variant of the flag"), reference("Split"), jsonlogic()],
                },
            },
        },
        "Split": split(),
        "Condition": condition(),
        "Check": check(),
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn key(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": KEY, "maxLength": limits::KEY_CHARACTERS})
}

fn key_name() -> Value {
    json!({"pattern": KEY, "maxLength": limits::KEY_CHARACTERS})
}

/// A flag's key or a variant's name.
fn free(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": FREE, "not": {"enum": [".", ".."]}, "maxLength": limits::KEY_CHARACTERS})
}

fn free_name() -> Value {
    json!({"pattern": FREE, "not": {"enum": [".", ".."]}, "maxLength": limits::KEY_CHARACTERS})
}

fn prose(description: &str) -> Value {
    json!({"description": description, "type": "string", "maxLength": limits::TEXT_CHARACTERS})
}

fn instant(description: &str) -> Value {
    json!({"description": description, "type": "string", "format": "date-time"})
}

fn number() -> Value {
    json!({"type": "number", "minimum": -signed(NUMBER_MAX), "maximum": NUMBER_MAX})
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn flag() -> Value {
    let or_null = |description: &str| json!({"description": description, "type": ["string", "null"], "pattern": FREE, "maxLength": limits::KEY_CHARACTERS});
    json!({
        "description": "A flag: typed variants, rules, a default and a safe variant. At most 64 KiB as JSON.",
        "type": "object", "required": ["variants", "default", "safe"], "additionalProperties": false,
        "properties": {
            "description": prose("For people"),
            "owner": prose("Who answers for it"),
            "tags": {"description": "What kills and releases can name it by", "type": "array", "maxItems": limits::TAGS, "items": key("A tag")},
            "enabled": {"description": "Off serves the caller's own default; true if omitted", "type": "boolean"},
            "variants": variants(),
            "default": or_null("The variant to serve when no rule matches; null = the caller's own default"),
            "safe": or_null("The variant to serve when the flag is killed or its lease has expired; null = the caller's own default"),
            "rules": {
                "description": "Tried in order; the first one whose condition is true decides",
                "type": "array", "maxItems": limits::RULES, "items": reference("Rule"),
            },
            "requires": {
                "description": "Flags that must serve a given variant, or the rules are not tried",
                "type": "array", "maxItems": limits::REQUIREMENTS,
                "items": {
                    "type": "object", "required": ["flag", "variant"], "additionalProperties": false,
                    "properties": {"flag": free("The required flag"), "variant": free("What it must serve")},
                },
            },
            "lease": {
                "description": "How long an application may serve the flag without contact to the server; after that it serves the safe variant",
                "type": "object", "required": ["seconds"], "additionalProperties": false,
                "properties": {"seconds": {"type": "integer", "minimum": limits::LEASE_SECONDS_MIN, "maximum": limits::LEASE_SECONDS_MAX}},
            },
            "one_way": {
                "description": "What a rollback cannot undo: a rollback that takes the variant from anyone must name the flag",
                "type": "object", "required": ["from", "reason"], "additionalProperties": false,
                "properties": {
                    "from": free("The variant that a rollback cannot simply undo"),
                    "reason": prose("Why, for the person who decides"),
                    "data_checkpoint": prose("The checkpoint of the data from which it could be restored"),
                },
            },
            "checks": {"description": "Probes that run when this flag is rolled back", "type": "array", "maxItems": limits::CHECKS, "items": reference("Check")},
            "client": {"description": "Whether browsers with a public key may see it; false if omitted", "type": "boolean"},
            "flagd_without_lease": {
                "description": "Whether flagd's clients may have it although they cannot enforce its lease; false if omitted",
                "type": "boolean",
            },
            "metadata": {"description": "Free members for other tools", "type": "object"},
            "expires_at": instant("When a temporary flag should be gone"),
        },
    })
}

fn variants() -> Value {
    let all = |value: Value| json!({"additionalProperties": value});
    json!({
        "description": "1 to 64 named values, all of one type: boolean, string, number or object",
        "type": "object", "minProperties": 1, "maxProperties": limits::VARIANTS, "propertyNames": free_name(),
        "anyOf": [all(json!({"type": "boolean"})), all(json!({"type": "string"})), all(number()), all(json!({"type": "object"}))],
    })
}

fn jsonlogic() -> Value {
    json!({
        "type": "object", "required": ["jsonlogic"], "additionalProperties": false,
        "properties": {"jsonlogic": {"description": "A JSONLogic rule"}},
    })
}

fn split() -> Value {
    let shares = |weight: Value| {
        json!({
            "type": "array", "minItems": 1, "maxItems": limits::SHARES,
            "items": {
                "type": "object", "required": ["variant", "weight"], "additionalProperties": false,
                "properties": {"variant": free("A variant of the flag"), "weight": weight},
            },
        })
    };
    json!({
        "description": "A variant by bucket of an attribute's value. All weights of a split are written in one way: counts that sum to 1 up to 2^31-1, or percentages that sum to 100%",
        "type": "object", "required": ["split"], "additionalProperties": false,
        "properties": {
            "split": {"anyOf": [
                shares(json!({"description": "A whole number", "type": "integer", "minimum": 0, "maximum": limits::WEIGHT_SUM})),
                shares(json!({"description": "A percentage with at most three decimals", "type": "string", "pattern": PERCENTAGE})),
            ]},
            "by": {"description": "The bucketing attribute; targetingKey if omitted", "type": "string", "minLength": 1, "maxLength": limits::NAME_CHARACTERS},
            "salt": {
                "description": "What is hashed before the attribute's value; the flag's key if omitted",
                "type": "string", "minLength": 1, "maxLength": limits::NAME_CHARACTERS,
            },
            "hash": {"description": "flagd for imported flags: the value is hashed as flagd's fractional does it", "const": "flagd"},
        },
    })
}

fn condition() -> Value {
    let forms = FORMS.into_iter().map(|form| {
        let mut properties = serde_json::Map::new();
        properties.insert(form.to_owned(), form_value(form));
        json!({"type": "object", "required": [form], "additionalProperties": false, "properties": properties})
    });
    let mut tests = serde_json::Map::new();
    tests.insert(
        "attribute".to_owned(),
        json!({"description": "A dotted path into the context", "type": "string", "minLength": 1, "maxLength": limits::NAME_CHARACTERS}),
    );
    tests.extend(OPERATORS.into_iter().map(|operator| (operator.to_owned(), operand(operator))));
    let test = json!({
        "type": "object", "required": ["attribute"], "minProperties": 2, "maxProperties": 2,
        "additionalProperties": false, "properties": tests,
    });
    let all: Vec<Value> = std::iter::once(test).chain(forms).collect();
    json!({
        "description": format!("What must hold, at most {} deep. A missing attribute makes a test false.", limits::CONDITION_DEPTH),
        "anyOf": all,
    })
}

fn form_value(form: &str) -> Value {
    match form {
        "all" | "any" => json!({"type": "array", "maxItems": limits::LIST_VALUES, "items": reference("Condition")}),
        "not" => reference("Condition"),
        "segment" => key("A segment of the environment"),
        _ => json!({"description": "A JSONLogic rule"}),
    }
}

fn operand(operator: &str) -> Value {
    let scalar = || json!({"type": ["string", "number", "boolean"]});
    let text = |description: &str| json!({"description": description, "type": "string"});
    match operator {
        "equals" | "contains" => scalar(),
        "one_of" => json!({"type": "array", "maxItems": limits::LIST_VALUES, "items": scalar()}),
        "starts_with" | "ends_with" => json!({"type": "string"}),
        "matches" => text("A regular expression, matched anywhere"),
        "lt" | "lte" | "gt" | "gte" => number(),
        "semver_in" => text("A range of versions: >=1.2, <2"),
        "before" | "after" => instant("An instant"),
        "in_cidr" => json!({
            "description": "A network, or a list of them: 10.0.0.0/8",
            "anyOf": [{"type": "string"}, {"type": "array", "maxItems": limits::LIST_VALUES, "items": {"type": "string"}}],
        }),
        "exists" => json!({"type": "boolean"}),
        _ => text("A version: 2.1.0"),
    }
}

fn check() -> Value {
    let when = json!({"enum": ["before", "step", "after"]});
    json!({
        "description": "An HTTP probe: a GET that checks the status and optionally one value in the JSON body",
        "type": "object", "required": ["name", "url"], "additionalProperties": false,
        "properties": {
            "name": prose("Unique among the checks of its owner"),
            "url": {"description": "The URL to request", "type": "string", "pattern": "^https?://[^/\\s]\\S*$"},
            "when": {"description": "When it runs; after if omitted", "anyOf": [when, {"type": "array", "maxItems": 3, "items": when}]},
            "expect": {"description": "The expected status; 200 if omitted", "type": "integer", "minimum": 100, "maximum": 599},
            "pointer": {"description": "RFC 6901, into the JSON body", "type": "string", "pattern": "^(/|$)"},
            "equals": {"description": "The value that must be there"},
            "below": number(),
            "above": number(),
            "timeout_ms": {"description": "Milliseconds; 2000 if omitted", "type": "integer", "minimum": 1, "maximum": 30_000},
        },
        "dependentSchemas": {"pointer": {"anyOf": [{"required": ["equals"]}, {"required": ["below"]}, {"required": ["above"]}]}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::Flag;

    #[test]
    fn every_reference_leads_to_a_definition() {
        let text = schema().to_string();
        let names: Vec<_> = text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(names.len() > 8);
        for name in names {
            assert!(schema()["$defs"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn the_schema_has_the_members_that_the_parser_knows() {
        let nothing = Flag::from_value(&json!({"no-such-member": 1})).unwrap_err().to_string();
        for member in schema()["$defs"]["Flag"]["properties"].as_object().unwrap().keys() {
            assert!(nothing.contains(&format!("{member:?}")), "{member} is not known to the parser: {nothing}");
        }
        let known = nothing.split("allowed: ").nth(1).unwrap().lines().next().unwrap();
        assert_eq!(
            known.split(", ").count(),
            schema()["$defs"]["Flag"]["properties"].as_object().unwrap().len(),
            "{known}"
        );
    }
}
