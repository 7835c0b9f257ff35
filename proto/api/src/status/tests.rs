//! Every kind of error survives the way over the wire, and no text makes the headers too large.

use cluster_types::{ObjectKey, Rejection, ServiceId};
use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 9] = [
    Kind::Invalid,
    Kind::NotFound,
    Kind::Denied,
    Kind::Conflict,
    Kind::Unavailable,
    Kind::Precondition,
    Kind::Timeout,
    Kind::Full,
    Kind::Internal,
];

#[test]
fn every_kind_comes_back_with_its_code_hint_and_fields() {
    for kind in KINDS {
        let sent = ApiError::new(kind, "E0142", "was über").hint("tu dies");
        assert_eq!(ApiError::from(Status::from(sent.clone())), sent);
    }
    let sent = ApiError::invalid(vec![FieldError::new("ports[0].target", "is 0"), FieldError::new("name", "has a ü: x")]);
    assert_eq!(sent.message, "ports[0].target: is 0; name: has a ü: x");
    assert_eq!(ApiError::from(Status::from(sent.clone())), sent);
}

#[test]
fn a_plain_status_gets_the_code_of_its_kind() {
    let error = ApiError::from(Status::unavailable("gone"));
    assert_eq!((error.kind, error.code.as_str(), error.hint), (Kind::Unavailable, code::UNAVAILABLE, None));
    assert_eq!(ApiError::from(Status::new(Code::Internal, "")).message, "Internal");
}

#[test]
fn rejections_tell_missing_from_taken_from_changed() {
    let key = ObjectKey::Service(ServiceId::from_bits(1));
    assert_eq!(ApiError::from(Rejection::Missing(key)).kind, Kind::NotFound);
    assert_eq!(ApiError::from(Rejection::NameTaken { name: "web".into(), holder: key }).code, code::NAME_TAKEN);
    assert_eq!(ApiError::from(Rejection::Refused { key, reason: "no".into() }).kind, Kind::Precondition);
}

proptest! {
    /// Whatever the texts, the headers stay below hyper's 16 KiB.
    #[test]
    fn headers_stay_small(message in "[ü\\n%a]{0,9000}", hint in "[ü ]{0,9000}", fields in proptest::collection::vec("[ü]{0,900}", 0..40)) {
        let fields = fields.into_iter().map(|text| FieldError::new("f", text)).collect();
        let error = ApiError { message, fields, ..ApiError::invalid(Vec::new()) }.hint(hint);
        let mut headers = tonic::codegen::http::HeaderMap::new();
        Status::from(error).add_header(&mut headers).unwrap();
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        prop_assert!(size < 16 << 10, "{size} bytes");
    }
}
