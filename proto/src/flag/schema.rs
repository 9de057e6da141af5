//! The places of flags, segments and checks in the OpenAPI document. What stands there is the definition of
//! [`crate::flags_file::schema`], whose JSON Schema says more than the document's own types can hold.

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
