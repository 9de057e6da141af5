//! Flags, segments and checks in the OpenAPI document. Their definitions come from
//! [`crate::flags_file::schema`], whose JSON Schema is more precise than types derived by the OpenAPI library.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::check::Check;
use crate::flag::Flag;
use crate::segment::Segment;

impl PartialSchema for Flag {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}

impl ToSchema for Flag {}

impl PartialSchema for Segment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}

impl ToSchema for Segment {}

impl PartialSchema for Check {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}

impl ToSchema for Check {}
