//! The document and the routes say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use actix_web::http::Method;
use ripcord_proto::problem::Code;
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode};
use crate::api::openapi::tests::{document, operations};
use crate::http::error::MEDIA_TYPE;

#[actix_web::test]
async fn every_operation_of_the_document_is_there() {
    let node = ApiNode::start().await;
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
    let node = ApiNode::start().await;
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

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference.to_owned()),
                    Some(_) | None => collect(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every operation, as its path, method and description.
fn described() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    found
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let mut ids = BTreeSet::new();
    for (path, method, operation) in described() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{method} {path}: {id} is taken");
    }
    for id in [
        "createKill",
        "listKills",
        "restoreKill",
        "createRollback",
        "undoRollback",
        "getReadiness",
        "evaluateFlags",
        "openStream",
        "getMetrics",
    ] {
        assert!(ids.contains(id), "{id} is missing");
    }
}

#[test]
fn every_answer_is_described_and_errors_are_problem_documents() {
    for (path, method, operation) in described() {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("4XX"), "{method} {path} can be refused");
        for (status, response) in responses {
            let text = response["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{method} {path} {status} has no description");
            // OFREP has its own form of errors, and not-ready is no error.
            if path.starts_with("/ofrep/") || path == "/readyz" {
                continue;
            }
            if status.starts_with('4') || status.starts_with('5') {
                let kinds: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
                assert_eq!(kinds, [MEDIA_TYPE], "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn writes_declare_their_headers_and_that_they_may_wait_for_a_second_person() {
    let header = |operation: &Value, name: &str| {
        let parameters = operation["parameters"].as_array().unwrap();
        parameters.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "header")
    };
    let find = |id: &str| described().into_iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap().2;
    for id in [
        "putFlag",
        "createCommit",
        "restoreKill",
        "createRollback",
        "undoRollback",
        "putPolicy",
        "createRollout",
    ] {
        let operation = find(id);
        assert!(header(&operation, "Idempotency-Key") && header(&operation, "If-Match"), "{id}");
        assert_eq!(
            operation["responses"]["202"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/ProposalAnswer",
            "{id}"
        );
    }
    assert!(header(&find("createKey"), "Idempotency-Key"));
    assert!(find("createKill")["responses"]["202"].is_null(), "a kill never waits for a second person");
}

#[test]
fn codes_have_the_names_that_are_sent() {
    let document = document();
    let names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(document["components"]["schemas"]["Code"]["enum"], json!(names));
}

/// Two types of one name would overwrite each other in the document.
#[test]
fn every_schema_has_a_name_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in [root.join("../proto/src"), root.join("src")] {
        for (file, text) in sources(&folder) {
            for name in schema_names(&text) {
                if let Some(other) = names.insert(name.clone(), file.clone()) {
                    panic!("{name} is a schema in {} and in {}", other.display(), file.display());
                }
            }
        }
    }
    assert!(names.len() > 100, "the sources have schemas");
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// The names of the schemas that a source derives.
fn schema_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !(line.contains("derive(") && line.contains("ToSchema")) || line.trim_start().starts_with("//") {
            continue;
        }
        let renamed = |line: &str| {
            let (_, rest) = line.split_once("schema(as = ")?;
            rest.split([')', ',']).next().map(ToOwned::to_owned)
        };
        let mut name = renamed(line);
        let declared = lines.by_ref().find_map(|line| {
            name = name.take().or_else(|| renamed(line));
            let (_, rest) = line.split_once("struct ").or_else(|| line.split_once("enum "))?;
            let is_declaration = line.trim_start().starts_with("pub") || line.trim_start().starts_with("struct") || line.trim_start().starts_with("enum");
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            is_declaration.then(|| rest[..end].to_owned())
        });
        // A macro's type is named where the macro is used.
        names.extend(name.or(declared).filter(|name| !name.is_empty()));
    }
    names
}
