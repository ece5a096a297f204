//! What a build keeps of the specification that it was asked for with.

use conda_store_core::{
    catalogue::{NewBuild, NewSpecification},
    model::Build,
    specification::{Specification, SpecificationLimits},
};
use serde_json::{Value, json};

use crate::support::{Fixture, Numbered, both};

const EXACT: &str = "select cast(build_id as text) from cs_build_specification order by build_id";

fn read(text: &str) -> Specification {
    Specification::from_yaml(text, &SpecificationLimits::default()).unwrap()
}

/// A build of `team/web` with the specification's own hash.
async fn submit(fixture: &Fixture, specification: &Specification) -> Build {
    submit_stored(fixture, &specification.to_stored(), &specification.sha256()).await
}

async fn submit_stored(fixture: &Fixture, spec: &Value, sha256: &str) -> Build {
    let new = NewBuild {
        namespace: &"team".parse().unwrap(),
        environment: &"web".parse().unwrap(),
        description: None,
        specification: NewSpecification { name: "web", spec, sha256, is_lockfile: false },
        build_key: &Numbered,
    };
    fixture.catalogue.create_build(&new).await.unwrap()
}

async fn spec_of(fixture: &Fixture, build: &Build) -> Value {
    let stored = fixture.catalogue.specification_of(build.id).await.unwrap().unwrap();
    assert_eq!(stored.id, build.specification_id);
    assert_eq!(stored.sha256, build.specification_sha256);
    stored.spec
}

#[tokio::test]
async fn builds_that_share_a_row_keep_their_own_order_of_channels() {
    both(async |fixture| {
        let one = read("{name: web, channels: [a, b], dependencies: [x]}");
        let other = read("{name: web, channels: [b, a], dependencies: [x]}");
        assert_eq!(one.sha256(), other.sha256());
        let first = submit(fixture, &one).await;
        let second = submit(fixture, &other).await;
        let third = submit(fixture, &one).await;
        assert_eq!([second.specification_id, third.specification_id], [first.specification_id; 2]);

        assert_eq!(spec_of(fixture, &first).await, one.to_stored());
        assert_eq!(spec_of(fixture, &second).await, other.to_stored());
        assert_eq!(spec_of(fixture, &second).await["channels"], json!(["b", "a"]));
        assert_eq!(spec_of(fixture, &third).await, one.to_stored());
        assert_eq!(fixture.texts(EXACT).await, [second.id.to_string()]);
    })
    .await;
}

#[tokio::test]
async fn builds_that_share_a_row_keep_their_own_order_of_dependencies() {
    both(async |fixture| {
        let one = read("{name: web, dependencies: [x, {pip: [p, q]}, y]}");
        let other = read("{name: web, dependencies: [y, x, {pip: [q, p]}]}");
        let first = submit(fixture, &one).await;
        let second = submit(fixture, &other).await;
        assert_eq!(first.specification_id, second.specification_id);
        assert_eq!(spec_of(fixture, &first).await, one.to_stored());
        assert_eq!(spec_of(fixture, &second).await, other.to_stored());
    })
    .await;
}

#[tokio::test]
async fn the_order_of_keys_and_the_spaces_of_a_kept_text_make_no_difference() {
    both(async |fixture| {
        let first = submit_stored(fixture, &json!({"name": "web", "channels": ["a", "b"]}), "abc").await;
        fixture.execute(r#"update specification set spec = '{ "name":"web",  "channels": ["a","b"] }'"#).await;
        let same = submit_stored(fixture, &json!({"channels": ["a", "b"], "name": "web"}), "abc").await;
        assert_eq!(first.specification_id, same.specification_id);
        assert_eq!(fixture.texts(EXACT).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn the_exact_specification_goes_with_its_build() {
    both(async |fixture| {
        submit(fixture, &read("{name: web, channels: [a, b]}")).await;
        let second = submit(fixture, &read("{name: web, channels: [b, a]}")).await;
        assert_eq!(fixture.texts(EXACT).await, [second.id.to_string()]);
        fixture.execute(&format!("delete from build where id = {}", second.id)).await;
        assert_eq!(fixture.texts(EXACT).await, Vec::<String>::new());
    })
    .await;
}
