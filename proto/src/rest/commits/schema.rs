//! The schema of a change, which serde's form of an enum with names outside does not give the derive.

use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::ChangeRequest;
use crate::file_set::FileSet;

fn named(name: &str, value: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property(name, value).required(name)
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn keyed(member: &str, value: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    named("key", text("The key")).property(member, value).required(member)
}

impl PartialSchema for ChangeRequest {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(named("put_flag", Ref::from_schema_name("PutFlag")))
            .item(named("delete_flag", text("The key of a flag")))
            .item(named("set_enabled", Ref::from_schema_name("SetEnabled")))
            .item(named("put_segment", Ref::from_schema_name("PutSegment")))
            .item(named("delete_segment", text("The key of a segment")))
            .item(named("kill", Ref::from_schema_name("CommitKill")))
            .item(named("restore", text("The id of a kill")))
            .item(named("put_settings", Ref::from_schema_name("SettingsRequest")))
            .item(named("apply_set", Ref::from_schema_name("FileSet")))
            .description(Some("One change: an object with one member that names it"))
            .into()
    }
}

impl ToSchema for ChangeRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        // Generators name a nested object after its place, and would make two of one name.
        let own = [
            ("PutFlag", keyed("flag", Ref::from_schema_name("Flag"))),
            ("SetEnabled", keyed("enabled", ObjectBuilder::new().schema_type(Type::Boolean))),
            ("PutSegment", keyed("segment", Ref::from_schema_name("Segment"))),
            (
                "CommitKill",
                named("scope", Ref::from_schema_name("KillScope")).property("future", ObjectBuilder::new().schema_type(Type::Boolean)),
            ),
        ];
        schemas.extend(own.map(|(name, schema)| (name.to_owned(), schema.into())));
        schemas.push((crate::Flag::name().into_owned(), crate::Flag::schema()));
        schemas.push((crate::Segment::name().into_owned(), crate::Segment::schema()));
        schemas.push((crate::KillScope::name().into_owned(), crate::KillScope::schema()));
        schemas.push((FileSet::name().into_owned(), <FileSet as PartialSchema>::schema()));
        <FileSet as ToSchema>::schemas(schemas);
        schemas.push((super::SettingsRequest::name().into_owned(), <super::SettingsRequest as PartialSchema>::schema()));
    }
}
