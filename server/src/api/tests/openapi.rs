//! The document and the routes say the same.

use actix_web::http::Method;

use super::harness::{ADMIN, Node};
use crate::api::openapi::tests::{document, operations};

#[actix_web::test]
async fn every_operation_of_the_document_is_there() {
    let node = Node::start().await;
    for operation in operations() {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace("{env}", "production").replace("{key}", "nothing");
        let got = node.call(Method::from_bytes(method.as_bytes()).unwrap(), &path).key(ADMIN).send().await;
        assert_ne!(got.status, 405, "{operation}");
        assert!(got.status != 404 || got.body["path"].is_null(), "{operation}");
    }
}

#[actix_web::test]
async fn every_path_tells_what_it_takes() {
    let node = Node::start().await;
    for operation in operations() {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace("{env}", "production").replace("{key}", "nothing");
        let got = node.call(Method::TRACE, &path).key(ADMIN).send().await.expect(405);
        let allow = got.header("allow");
        assert!(allow.split(", ").any(|allowed| allowed == method), "{operation} is not in Allow: {allow}");
        assert_eq!(got.code(), "METHOD_NOT_ALLOWED");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "the document has schemas");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} is missing");
    }
}

fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference.to_owned()),
                    Some(_) | None => collect(member, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => {}
    }
}
