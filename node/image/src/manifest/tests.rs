//! Tests of the strict reading of manifests.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn pointer(media_type: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(media_type.as_bytes()), "size": 7})
}

fn image() -> Value {
    json!({"schemaVersion": 2, "config": pointer(CONFIG_TYPES[0]), "layers": [pointer("application/vnd.oci.image.layer.v1.tar+gzip")]})
}

fn reason(document: &Value) -> String {
    parse(document.to_string().as_bytes()).expect_err("was accepted").to_string()
}

#[test]
fn an_image_and_an_index_are_told_apart() {
    assert!(matches!(parse(image().to_string().as_bytes()), Ok(Document::Manifest(m)) if m.layers.len() == 1));
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [pointer(MANIFEST_TYPES[0])]});
    assert!(matches!(parse(index.to_string().as_bytes()), Ok(Document::Index(m)) if m.len() == 1));
}

#[test]
fn ambiguous_and_misdeclared_documents_are_refused() {
    let mut both = image();
    both["manifests"] = json!([pointer(MANIFEST_TYPES[0])]);
    assert!(reason(&both).contains("ambiguous"));
    let mut wrong = image();
    wrong["mediaType"] = json!(INDEX_TYPES[0]);
    assert!(reason(&wrong).contains("does not fit"));
    let mut artifact = image();
    artifact["config"]["mediaType"] = json!("application/vnd.example+json");
    assert!(reason(&artifact).contains("artifact"));
    let mut elsewhere = image();
    elsewhere["layers"][0]["urls"] = json!(["https://elsewhere.example/blob"]);
    assert!(reason(&elsewhere).contains("another host"));
    assert!(reason(&json!({"schemaVersion": 2, "config": pointer("")})).contains("both"));
    assert!(reason(&json!({"schemaVersion": 1, "fsLayers": []})).contains("schema version 2"));
}

#[test]
fn a_digest_that_is_a_path_is_refused() {
    for evil in ["sha256:../../../../../../etc/passwd", "../x", "sha256:", "sha512:aa", "sha256:zz"] {
        let mut document = image();
        document["layers"][0]["digest"] = json!(evil);
        assert!(reason(&document).contains("not a sha256 digest"), "{evil}");
    }
}

#[test]
fn the_index_entry_of_this_host_is_chosen() {
    let entry = |os: &str, arch: &str| {
        let mut entry = pointer(&format!("{os}-{arch}"));
        entry["platform"] = json!({"os": os, "architecture": arch});
        serde_json::from_value::<Descriptor>(entry).unwrap()
    };
    let here = entry("linux", platform::architecture());
    let others = [entry("windows", platform::architecture()), entry("linux", "s390x"), entry("unknown", "unknown")];
    let all = [others.as_slice(), std::slice::from_ref(&here)].concat();
    assert_eq!(choose(&all).unwrap().digest, here.digest);
    let refused = choose(&others).unwrap_err().to_string();
    assert!(refused.contains("linux/s390x"), "{refused}");
}

proptest! {
    #[test]
    fn reading_never_panics(bytes: Vec<u8>) {
        let _ = parse(&bytes);
    }
}
