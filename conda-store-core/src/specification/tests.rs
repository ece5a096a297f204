use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;

const LIMITS: SpecificationLimits =
    SpecificationLimits { bytes: 2_000, lockfile_bytes: 2_000, depth: 4, nodes: 100, lockfile_nodes: 100 };

fn read(text: &str) -> Result<Specification> {
    Specification::from_yaml(text, &LIMITS)
}

fn refusal(text: &str) -> String {
    let error = read(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

fn conda(text: &str) -> CondaSpecification {
    match read(text).unwrap() {
        Specification::Conda(specification) => specification,
        Specification::Lockfile(_) => unreachable!("no lockfile was handed in"),
    }
}

#[test]
fn the_hash_agrees_with_every_vector_of_the_original() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../tests/data/specification-hash.json")).unwrap();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let specification = read(&vector["specification"].to_string()).unwrap();
        assert_eq!(specification.to_stored(), vector["dumped"]);
        assert_eq!(specification.sha256(), vector["sha256"]);
        assert_eq!(Specification::from_stored(vector["dumped"].clone(), false).unwrap(), specification);
    }
}

#[test]
fn reads_what_people_write() {
    let specification = conda(
        "name: science\nchannels:\ndependencies:\n  - python=3.11\n  - conda-forge::numpy>=1.26,<3\n  - pip\n  - pip:\n    \
         - flask == 3.0\n    - --index-url https://example.org/simple\nvariables:\n  A: text\n  B: 3\n  C: true\n  D: 2.0\n\
         prefix: /opt/science\n",
    );
    assert_eq!(specification.match_specs().collect::<Vec<_>>(), ["python=3.11", "conda-forge::numpy>=1.26,<3", "pip"]);
    assert_eq!(
        specification.pip_lines().collect::<Vec<_>>(),
        ["flask == 3.0", "--index-url https://example.org/simple"]
    );
    assert!(specification.channels.is_empty());
    assert_eq!(specification.description, "");
    assert_eq!(specification.prefix.as_deref(), Some("/opt/science"));
    assert_eq!(json!(specification.variables), json!({"A": "text", "B": 3, "C": 1, "D": 2}));
}

#[test]
fn a_name_is_enough_and_an_empty_pip_list_is_one() {
    assert!(conda("name: a").dependencies.is_empty());
    assert_eq!(conda("{name: a, dependencies: [{pip: }]}").dependencies, [Dependency::Pip { pip: Vec::new() }]);
}

#[test]
fn aliases_are_expanded() {
    let specification = conda("name: a\nchannels: &c [x, y]\ndependencies: *c");
    assert_eq!(specification.channels, ["x", "y"]);
    assert_eq!(specification.match_specs().collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn merge_keys_are_expanded() {
    let specification = conda("name: a\nvariables:\n  <<: {A: inner, B: inner}\n  A: outer");
    assert_eq!(json!(specification.variables), json!({"A": "outer", "B": "inner"}));
}

#[test]
fn says_what_is_wrong_with_the_whole() {
    assert_snapshot!(refusal(""), @"the specification is empty, a mapping with the keys name, channels and dependencies is taken");
    assert_snapshot!(refusal("- a"), @"the specification is a list, a mapping with the keys name, channels and dependencies is taken");
    assert_snapshot!(refusal("channels: []"), @"the specification has no name; add one as `name: NAME`");
    assert_snapshot!(refusal("name: a\ndependancies: []"), @r#"unknown key "dependancies", known are name, channels, dependencies, description, prefix, variables; did you mean "dependencies"?"#);
    assert_snapshot!(refusal("name: a\nzebra: []"), @r#"unknown key "zebra", known are name, channels, dependencies, description, prefix, variables"#);
    assert_snapshot!(refusal("name: a\n1: b"), @"cannot read the specification: invalid type: integer `1`, expected text as a key at line 2, column 1");
    assert_snapshot!(refusal("name: a\nname: b"), @r#"cannot read the specification: the key "name" stands there twice"#);
    assert_snapshot!(refusal("name: [a"), @"cannot read the specification: unclosed bracket '[' at line 1, column 7");
    assert_snapshot!(refusal("name: !tag a"), @"cannot read the specification: unsupported tag `!tag` at line 1, column 12");
    assert_snapshot!(refusal("name: a\n---\nname: b"), @"cannot read the specification: it has more than one YAML document");
}

#[test]
fn says_what_is_wrong_with_a_value() {
    assert_snapshot!(refusal("name: 2024"), @"name is the number 2024, text is taken; write it in quotes if text is meant");
    assert_snapshot!(refusal("name: a b"), @r#"environment name "a b" contains ' '; allowed are A-Z, a-z, 0-9 and -+_@$&?^~.="#);
    assert_snapshot!(refusal("name: a\nchannels: conda-forge"), @r#"channels is the text "conda-forge", a list is taken"#);
    assert_snapshot!(refusal("name: a\nchannels: [{url: x}]"), @"channels[0] is a mapping, the name or URL of a channel is taken");
    assert_snapshot!(refusal("name: a\nchannels: ['']"), @"channels[0] is empty, the name or URL of a channel is taken");
    assert_snapshot!(refusal("name: a\ndescription: [x]"), @"description is a list, text is taken");
    assert_snapshot!(refusal("name: a\nprefix: 1.5"), @"prefix is the number 1.5, text is taken; write it in quotes if text is meant");
    assert_snapshot!(refusal("name: a\ndependencies: [a, b, c, 3.10]"), @r#"dependencies[3] is the number 3.1, a match spec such as "numpy >=1.26", or a pip list is taken; write it in quotes if text is meant"#);
    assert_snapshot!(refusal("name: a\ndependencies: [a, ]\nvariables: [x]"), @"variables is a list, a mapping of names to values is taken");
    assert_snapshot!(refusal("name: a\ndependencies: [null]"), @r#"dependencies[0] is empty, a match spec such as "numpy >=1.26", or a pip list is taken"#);
    assert_snapshot!(refusal("name: a\ndependencies: ['numpy >=']"), @r#"dependencies[0] is no match spec: "numpy >=" (unable to parse version spec: >=); one looks like "numpy >=1.26""#);
    assert_snapshot!(refusal("name: a\ndependencies: [\"numpy\\nscipy\"]"), @r#"dependencies[0] has a line break or another control character: "numpy\nscipy""#);
    assert_snapshot!(refusal("name: a\ndependencies: [{npm: [x]}]"), @"dependencies[0] has the keys [npm], the one key pip is taken");
    assert_snapshot!(refusal("name: a\ndependencies: [{pip: flask}]"), @r#"dependencies[0].pip is the text "flask", a list is taken"#);
    assert_snapshot!(refusal("name: a\ndependencies: [{pip: [flask, 3]}]"), @"dependencies[0].pip[1] is the number 3, a line of a requirements file is taken; write it in quotes if text is meant");
    assert_snapshot!(refusal("name: a\ndependencies: [{pip: [\"flask\\n--index-url x\"]}]"), @r#"dependencies[0].pip[0] has a line break or another control character: "flask\n--index-url x""#);
    assert_snapshot!(refusal("name: a\ndependencies: [{pip: [x]}, b, {pip: [y]}]"), @"dependencies[2] is a second pip list after dependencies[0]; put them into one");
    assert_snapshot!(refusal("name: a\nvariables: {A: [1]}"), @"variables.A is a list, text or an integer is taken");
    assert_snapshot!(refusal("name: a\nvariables: {A: }"), @"variables.A is empty, text or an integer is taken");
    assert_snapshot!(refusal("name: a\nvariables: {A: 1.5}"), @"variables.A is the number 1.5, text or an integer is taken; write it in quotes if text is meant");
    assert_snapshot!(refusal("name: a\nvariables: {A: 18446744073709551615}"), @"cannot read the specification: invalid value: integer `18446744073709551615`, expected text, a 64-bit number, a boolean, null, a list or a mapping at line 2, column 13");
    assert_snapshot!(refusal("name: a\nvariables: {'A=B': x}"), @r#""A=B" cannot name an environment variable; it is empty, or has a "=" or NUL"#);
    assert_snapshot!(refusal("name: a\nvariables: {A: \"x\\0\"}"), @"variables.A has a NUL character");
}

#[test]
fn bounds_size_depth_and_aliases() {
    assert_snapshot!(refusal(&format!("name: a # {}", "x".repeat(2_000))), @"the specification has 2010 bytes, at most 2000 are taken");
    assert_snapshot!(refusal("name: [[[[[a]]]]]"), @"cannot read the specification: more than 4 lists or mappings within each other at line 1, column 10");
    assert_snapshot!(refusal(&format!("name: a\nchannels: [{}]", "a, ".repeat(100))), @"cannot read the specification: more than 100 values after aliases are expanded at line 2, column 297");
    let text = format!("name: a\nchannels: [&a {}, {}]", "x".repeat(1_000), "*a, ".repeat(5));
    assert_snapshot!(refusal(&text), @"cannot read the specification: more than 2000 bytes after aliases are expanded (defined at line 2, column 15) at line 2, column 1017");
    let levels = (1..40).map(|level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("b{level}: &a{level} [{aliases}]\n")
    });
    let bomb: String = ["a: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned()].into_iter().chain(levels).collect();
    let limits = SpecificationLimits::default();
    let error = Specification::from_yaml(&bomb, &limits).unwrap_err().to_string();
    assert!(error.contains("more than 16 lists") || error.contains("more than 100000 values"), "{error}");
}

#[test]
fn hostile_nesting_is_given_up_at_once() {
    let limits = SpecificationLimits::default();
    for text in ["[".repeat(1 << 20), "{a: ".repeat(1 << 18), "- ".repeat(1 << 19), "? ".repeat(1 << 19)] {
        Specification::from_yaml(&text, &limits).unwrap_err();
    }
}

#[test]
fn what_older_versions_stored_is_read() {
    let stored = json!({"name": "a", "channels": ["b"], "dependencies": ["x=", {"pip": ["y"]}], "description": null});
    let specification = Specification::from_stored(stored, false).unwrap();
    assert_eq!(
        specification.to_stored(),
        json!({"name": "a", "channels": ["b"], "dependencies": ["x=", {"pip": ["y"]}], "description": "", "prefix": null,
               "variables": null})
    );
    let damaged = Specification::from_stored(json!({"name": "a", "channels": 1}), false).unwrap_err();
    assert_eq!(damaged.kind(), ErrorKind::Corrupt);
    assert!(damaged.to_string().contains("the stored specification is damaged"), "{damaged}");
}

#[test]
fn the_stored_lockfile_keeps_its_three_fields() {
    let stored = json!({"name": "a", "description": "b", "lockfile": {"version": 1}});
    let specification = Specification::from_stored(stored.clone(), true).unwrap();
    assert_eq!(specification.to_stored(), stored);
    assert_eq!(specification.sha256(), "dbd685d9ab3950a1d492bf3907fe005a771d1d46cc00e349af646ae836a16be2");
}

proptest! {
    #[test]
    fn the_hash_does_not_depend_on_the_order_of_lists(
        mut dependencies in proptest::collection::vec("[a-z]{1,8}( >=[0-9])?", 0..6),
    ) {
        let specification = |dependencies: &[String]| {
            Specification::from_yaml(&json!({"name": "a", "dependencies": dependencies}).to_string(), &LIMITS).unwrap()
        };
        let before = specification(&dependencies);
        dependencies.reverse();
        prop_assert_eq!(before.sha256(), specification(&dependencies).sha256());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = Specification::from_yaml(&text, &LIMITS);
    }

    #[test]
    fn storing_loses_nothing(description in "\\PC*", value in any::<i64>()) {
        let text = json!({"name": "a", "description": description, "variables": {"A": value}}).to_string();
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
        prop_assert_eq!(Specification::from_stored(specification.to_stored(), false).unwrap(), specification);
    }
}
