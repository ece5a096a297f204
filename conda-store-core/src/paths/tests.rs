use super::*;
use crate::{
    ErrorKind,
    build_key::{BuildKeyV2, BuildKeyV3},
};

const KEY: &str = "c7afdeff-1699156450-12345678-test";

fn layout(change: impl FnOnce(&mut LayoutOptions)) -> Result<Layout> {
    let mut options = LayoutOptions::new("/opt/state");
    change(&mut options);
    Layout::new(&options, Path::new("/home/user"))
}

fn names() -> (NamespaceName, EnvironmentName) {
    ("team".parse().unwrap(), "test".parse().unwrap())
}

fn refusal(change: impl FnOnce(&mut LayoutOptions)) -> String {
    let error = layout(change).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn lays_out_as_documented() {
    let layout = layout(|_| ()).unwrap();
    let (namespace, name) = names();
    let prefix = layout.prefix(&BuildKeyV2, &namespace, &name, KEY).unwrap();
    assert_eq!(prefix, Path::new("/opt/state/team").join(KEY));
    let link = layout.environment_path(&BuildKeyV2, &namespace, &name).unwrap();
    assert_eq!(link, Some("/opt/state/team/envs/test".into()));
}

#[test]
fn version_3_depends_on_no_name() {
    let layout = layout(|_| ()).unwrap();
    let (namespace, name) = names();
    let key = "64a943764b70e8fe181643404894f7ae";
    let prefix = layout.prefix(&BuildKeyV3, &namespace, &name, key).unwrap();
    assert_eq!(prefix, Path::new("/opt/state").join(key));
    assert_eq!(layout.environment_path(&BuildKeyV3, &namespace, &name).unwrap(), None);
}

#[test]
fn relative_directories_become_absolute() {
    let layout = layout(|options| {
        options.store_directory = "../state/./x".into();
        options.environment_directory = "links/{namespace}-{name}".into();
    })
    .unwrap();
    assert_eq!(layout.store_directory(), Path::new("/home/state/x"));
    let (namespace, name) = names();
    let link = layout.environment_path(&BuildKeyV2, &namespace, &name).unwrap();
    assert_eq!(link, Some("/home/user/links/team-test".into()));
}

#[test]
fn braces_can_be_meant() {
    let layout = layout(|options| options.build_directory = "{store_directory}/{{x}}/{name}".into()).unwrap();
    let (namespace, name) = names();
    let prefix = layout.prefix(&BuildKeyV2, &namespace, &name, KEY).unwrap();
    assert_eq!(prefix, Path::new("/opt/state/{x}/test").join(KEY));
}

#[test]
fn a_prefix_has_at_most_255_bytes() {
    let (namespace, name) = names();
    let exact = 255 - "/".len() - KEY.len() - "/team".len();
    for (length, fits) in [(exact, true), (exact + 1, false)] {
        let layout = layout(|options| options.store_directory = format!("/{}", "x".repeat(length - 1)).into()).unwrap();
        let prefix = layout.prefix(&BuildKeyV2, &namespace, &name, KEY);
        assert_eq!(prefix.is_ok(), fits);
        if let Err(error) = prefix {
            let sentence = "build_path too long: must be <= 255 characters, but has 256; choose a shorter name";
            assert!(error.to_string().starts_with(sentence), "{error}");
        }
    }
}

#[test]
fn refuses_templates_that_cannot_work() {
    let message = refusal(|options| options.build_directory = "{store_directory}/{user}".into());
    insta::assert_snapshot!(message, @"build_directory has the unknown key {user}; known are {store_directory}, {namespace}, {name}");
    let message = refusal(|options| options.build_directory = "{store_directory".into());
    insta::assert_snapshot!(message, @r#"build_directory has a single brace: "{store_directory"; write it twice if it is meant"#);
    let message = refusal(|options| options.build_directory = "{store_directory}/../{namespace}".into());
    insta::assert_snapshot!(message, @r#"build_directory leads through ".." (path: /opt/state/../namespace)"#);
    let message = refusal(|options| options.environment_directory = "{store_directory}/current".into());
    insta::assert_snapshot!(message, @"environment_directory has no {name}, so all environments would have one path");
}

#[test]
fn refuses_a_key_that_is_a_path() {
    let layout = layout(|_| ()).unwrap();
    let (namespace, name) = names();
    for key in ["", ".", "..", "a/b", "/a", "a/"] {
        let error = layout.prefix(&BuildKeyV3, &namespace, &name, key).unwrap_err();
        assert!(error.to_string().ends_with("is no single path segment"), "{error}");
    }
}

#[test]
fn names_cannot_lead_out() {
    let layout = layout(|options| options.build_directory = "{store_directory}/.{namespace}/{name}".into()).unwrap();
    for (namespace, name) in [("...", "..."), ("a.", "~"), ("=", "&")] {
        let prefix = layout.prefix(&BuildKeyV2, &namespace.parse().unwrap(), &name.parse().unwrap(), KEY).unwrap();
        assert!(prefix.starts_with(format!("/opt/state/.{namespace}/{name}")), "{}", prefix.display());
    }
}

#[test]
fn the_extended_prefix_stands_before_everything() {
    assert_eq!(extended_length(Path::new("C:/x")), Path::new(r"\\?\C:/x"));
}
