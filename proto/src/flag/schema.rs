//! The fixed JSON of flags and segments, for the OpenAPI document.

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::check::Check;
use crate::flag::Flag;
use crate::segment::Segment;

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn anything(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(description))
}

fn boolean(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description))
}

fn instant(description: &str) -> ObjectBuilder {
    text(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

fn variant_or_null(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(description))
}

fn condition(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
}

const CONDITION: &str = "A condition, at most 16 deep: one of {\"all\": [condition, …]}, {\"any\": [condition, …]}, {\"not\": condition}, {\"segment\": key}, \
    {\"jsonlogic\": rule} or {\"attribute\": path, OPERATOR: value} with one of the operators equals, one_of, contains, starts_with, ends_with, matches, lt, lte, gt, gte, \
    semver_eq, semver_lt, semver_lte, semver_gt, semver_gte, semver_in, before, after, in_cidr, exists. A missing attribute makes a test false.";

fn one_way() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "What going back does not undo: a rollback that takes the variant from anybody must name the flag",
        ))
        .property("from", text("The variant that cannot simply be taken back"))
        .property("reason", text("Why, for the person who decides"))
        .property("data_checkpoint", text("The checkpoint of the data from which it could be restored"))
        .required("from")
        .required("reason")
}

fn check() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An HTTP probe: a GET whose status, and one place of whose JSON body, must be as stated"))
        .property("name", text("Unique among the checks of its owner"))
        .property("url", text("http:// or https://"))
        .property("when", anything("\"before\", \"step\" or \"after\" (the default), or a list of them"))
        .property(
            "expect",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(100))
                .maximum(Some(599))
                .description(Some("The status; 200 unless stated")),
        )
        .property("pointer", text("RFC 6901, into the JSON body"))
        .property("equals", anything("What must stand there"))
        .property("below", ObjectBuilder::new().schema_type(Type::Number))
        .property("above", ObjectBuilder::new().schema_type(Type::Number))
        .property(
            "timeout_ms",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1))
                .maximum(Some(30_000))
                .description(Some("2000 unless stated")),
        )
        .required("name")
        .required("url")
}

fn checks() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(check())
        .max_items(Some(32))
        .description(Some("Probes that a rollback of this flag asks"))
}

fn split() -> ObjectBuilder {
    let weight = OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(0))
                .maximum(Some(2_147_483_647))
                .description(Some("A whole number")),
        )
        .item(text("A percentage with at most three decimals: \"12.5%\""))
        .description(Some(
            "All weights of a split are written in one way. Counts sum to 1 up to 2^31-1, percentages to 100%.",
        ));
    let share = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("variant", text("A variant of the flag"))
        .property("weight", weight)
        .required("variant")
        .required("weight");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A variant by bucket of an attribute's value"))
        .property("split", ArrayBuilder::new().items(share).min_items(Some(1)).max_items(Some(256)))
        .property("by", text("The bucketing attribute; targetingKey where it is left out"))
        .property("salt", text("What is hashed before the attribute's value; the flag's key where it is left out"))
        .required("split")
}

fn rule() -> ObjectBuilder {
    let serve = OneOfBuilder::new().item(text("A variant of the flag")).item(split()).item(
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("jsonlogic", anything("A JSONLogic rule that names the variant"))
            .required("jsonlogic"),
    );
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", text("Unique within the flag"))
        .property("when", condition(CONDITION))
        .property("serve", serve)
        .required("serve")
}

fn variants() -> ObjectBuilder {
    let value = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(ObjectBuilder::new().schema_type(Type::String))
        .item(ObjectBuilder::new().schema_type(Type::Number))
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::FreeForm(true))),
        );
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("1 to 64 named values, all of one type"))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::OneOf(value.build())))))
}

fn requirement() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("flag", text("The required flag"))
        .property("variant", text("What it must serve"))
        .required("flag")
        .required("variant")
}

fn lease() -> ObjectBuilder {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(5)).maximum(Some(2_592_000));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "How long an application may serve the flag without hearing from the server, before it falls to the safe variant",
        ))
        .property("seconds", seconds)
        .required("seconds")
}

impl PartialSchema for Flag {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A flag: typed variants, rules, a default and a safe variant. At most 64 KiB as JSON."))
            .property("description", text("For people"))
            .property("owner", text("Who answers for it"))
            .property(
                "tags",
                ArrayBuilder::new().items(text("What kills and releases can name it by")).max_items(Some(64)),
            )
            .property(
                "enabled",
                ObjectBuilder::new()
                    .schema_type(Type::Boolean)
                    .description(Some("Off serves the caller's own default; true where it is left out")),
            )
            .property("variants", variants())
            .property(
                "default",
                variant_or_null("What it serves when no rule matches; null = the caller's own default"),
            )
            .property(
                "safe",
                variant_or_null("What it serves when it is killed or its lease has run out; null = the caller's own default"),
            )
            .property(
                "rules",
                ArrayBuilder::new()
                    .items(rule())
                    .max_items(Some(256))
                    .description(Some("Tried in order; the first whose condition holds serves")),
            )
            .property(
                "requires",
                ArrayBuilder::new()
                    .items(requirement())
                    .max_items(Some(32))
                    .description(Some("Flags that must serve a given variant before the rules are tried")),
            )
            .property("lease", lease())
            .property("one_way", one_way())
            .property("checks", checks())
            .property("client", boolean("Whether browsers with a public key may see it; false unless stated"))
            .property(
                "flagd_without_lease",
                boolean("Whether flagd's clients may have it although they cannot keep its lease; false unless stated"),
            )
            .property("metadata", condition("Free members for other tools"))
            .property("expires_at", instant("When a temporary flag should be gone"))
            .required("variants")
            .required("default")
            .required("safe")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for Flag {}

impl PartialSchema for Segment {
    fn schema() -> RefOr<Schema> {
        let described = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("description", text("For people"))
            .property("when", condition(CONDITION))
            .required("when");
        OneOfBuilder::new()
            .item(condition(CONDITION))
            .item(described)
            .description(Some("A named, reusable condition: the bare condition, or one with a description"))
            .into()
    }
}

impl ToSchema for Segment {}

impl PartialSchema for Check {
    fn schema() -> RefOr<Schema> {
        check().into()
    }
}

impl ToSchema for Check {}
