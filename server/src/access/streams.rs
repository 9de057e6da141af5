//! Streams are authorised like every other read.

use actix_web::http::header::HeaderMap;
use ripcord_proto::problem::Problem;

use super::{Access, Reach};
use crate::stream::{Authorise, Environments, Grant};

impl Authorise for Access {
    fn authorise(&self, headers: &HeaderMap) -> Result<Grant, Box<Problem>> {
        let holder = self.authenticate(headers)?;
        Ok(Grant {
            key_id: holder.id,
            environments: match holder.reach {
                Reach::Everywhere => Environments::All,
                Reach::Only(own) => Environments::Only(own),
            },
            role: holder.role,
        })
    }
}
