use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ErrorKind;

const SHA256: &str = "c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b";

fn time(text: &str) -> Timestamp {
    serde_json::from_value(text.into()).unwrap()
}

fn parts<'a>(namespace: &'a NamespaceName, environment: &'a EnvironmentName, sha256: &'a str) -> BuildKeyParts<'a> {
    BuildKeyParts {
        namespace,
        environment,
        specification_sha256: sha256,
        scheduled_on: time("2023-11-05T03:54:10.510258"),
        build_id: BuildId(12_345_678),
    }
}

#[test]
fn every_version_agrees_with_every_vector_of_the_original() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../tests/data/specification-hash.json")).unwrap();
    for vector in vectors {
        let build = &vector["build"];
        let namespace = build["namespace"].as_str().unwrap().parse().unwrap();
        let environment = vector["dumped"]["name"].as_str().unwrap().parse().unwrap();
        let mut parts = parts(&namespace, &environment, vector["sha256"].as_str().unwrap());
        parts.scheduled_on = serde_json::from_value(build["scheduled_on"].clone()).unwrap();
        parts.build_id = serde_json::from_value(build["id"].clone()).unwrap();
        for version in 1..=3 {
            let key = format(version).unwrap().key(&parts).unwrap();
            assert_eq!(key, build["keys"][version.to_string()]);
        }
    }
}

#[test]
fn writes_the_documented_examples() {
    let (namespace, environment) = ("default".parse().unwrap(), "this-is-a-long-environment-name".parse().unwrap());
    let parts = parts(&namespace, &environment, SHA256);
    assert_eq!(
        BuildKeyV1.key(&parts).unwrap(),
        format!("{SHA256}-20231105-035410-510258-12345678-this-is-a-long-environment-name")
    );
    assert_eq!(BuildKeyV2.key(&parts).unwrap(), "c7afdeff-1699156450-12345678-this-is-a-long-environment-name");
    assert_eq!(BuildKeyV3.key(&parts).unwrap().len(), 32);
    assert!(BuildKeyV2.named_paths() && !BuildKeyV3.named_paths());
}

#[test]
fn what_is_no_key_leads_nowhere() {
    for text in [
        "",
        "-",
        "c7afdeff",
        "c7afdeff-1699156450-12345678",
        "c7afdeff-1699156450-12345678-",
        "c7afdeff-1699156450-12345678-a/b",
        "c7afdeff-1699156450-+1-a",
        "c7afdeff-1699156450-99999999999-a",
        "c7afdeff--1-a",
        "C7AFDEFF-1699156450-1-a",
        "c7afdef-1699156450-1-a",
        "64a943764b70e8fe181643404894f7a",
        "64a943764b70e8fe181643404894f7ag",
        "../64a943764b70e8fe181643404894f7",
        &format!("{SHA256}-20231105-035410-510258-12345678"),
        &format!("{SHA256}-20231105-035410-51025-12345678-a"),
    ] {
        assert_eq!(parse_any(text), None, "{text}");
    }
}

#[test]
fn refuses_what_is_no_version_or_no_hash() {
    let error = format(4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "there is no build key version 4; known are 1, 2, 3");
    let (namespace, environment) = ("default".parse().unwrap(), "a".parse().unwrap());
    for version in 1..=3 {
        let error = format(version).unwrap().key(&parts(&namespace, &environment, "../../x")).unwrap_err();
        assert_eq!(error.to_string(), "\"../../x\" is no SHA-256 in lowercase hexadecimal (build: 12345678)");
    }
}

const NAME: &str = "[-+_@$&?^~.=A-Za-z0-9]{1,40}";

proptest! {
    #[test]
    fn a_key_leads_back_to_its_build_whatever_its_version(
        namespace in NAME, environment in NAME, sha256 in "[0-9a-f]{64}", id in 0..=i32::MAX, seconds in 0..4_000_000_000_i64,
    ) {
        let (Ok(namespace), Ok(environment)) = (namespace.parse(), environment.parse()) else { return Ok(()) };
        let scheduled_on = chrono::DateTime::from_timestamp(seconds, 123_456_000).unwrap().into();
        let build_id = BuildId(id);
        let parts = BuildKeyParts {
            namespace: &namespace, environment: &environment, specification_sha256: &sha256, scheduled_on, build_id,
        };
        for version in 1..=3 {
            let key = format(version).unwrap().key(&parts).unwrap();
            prop_assert!(!key.contains('/'));
            let expected = match version {
                3 => BuildKeyReference::Hash(key.clone()),
                _ => BuildKeyReference::Id(build_id),
            };
            prop_assert_eq!(parse_any(&key), Some(expected));
        }
    }

    #[test]
    fn any_text_is_parsed_or_not(text in "\\PC*") {
        let _ = parse_any(&text);
    }
}
