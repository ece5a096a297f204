//! Namespaces, the roles that they give, and issued tokens.

use std::time::Duration;

use conda_store_core::{
    ErrorKind,
    auth::{ArnPattern, Role, RoleBindings, Scope},
    catalogue::{EnvironmentQuery, NewToken, PageRequest, Start},
    clock::Clock,
    model::{NamespaceName, TokenId},
};
use serde_json::json;

use crate::support::{Fixture, both};

fn name(text: &str) -> NamespaceName {
    text.parse().unwrap()
}

fn bindings(value: serde_json::Value) -> RoleBindings {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn a_namespace_is_created_once_until_it_is_deleted() {
    both(async |fixture| {
        let (catalogue, team) = (&fixture.catalogue, name("team"));
        catalogue.create_namespace(&team).await.unwrap();
        let error = catalogue.create_namespace(&team).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Conflict, "namespace already exists"));
        let metadata = json!({"cost": {"centre": 7}});
        catalogue.update_namespace(&team, metadata.as_object(), None).await.unwrap();
        assert_eq!(catalogue.namespace(&team).await.unwrap().unwrap().metadata, metadata);
        catalogue.delete_namespace(&team).await.unwrap();
        for error in [
            catalogue.delete_namespace(&team).await.unwrap_err(),
            catalogue.update_namespace(&team, metadata.as_object(), None).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "namespace does not exist"));
        }
        catalogue.create_namespace(&team).await.unwrap();
        assert_eq!(catalogue.namespace(&team).await.unwrap().unwrap().metadata, json!({}));
    })
    .await;
}

#[tokio::test]
async fn role_mappings_are_replaced_as_a_whole() {
    both(async |fixture| {
        let (catalogue, team) = (&fixture.catalogue, name("team"));
        catalogue.create_namespace(&team).await.unwrap();
        let id = catalogue.namespace(&team).await.unwrap().unwrap().id;
        for given in [json!({"a-*/*": ["viewer", "developer"], "b/web": ["admin"]}), json!({"c/*": ["viewer"]})] {
            let given = bindings(given);
            catalogue.update_namespace(&team, None, Some(&given)).await.unwrap();
            assert_eq!(catalogue.role_bindings_v1("team").await.unwrap(), given);
            let rows = &catalogue.role_mappings(&[id]).await.unwrap()[&id];
            assert_eq!(rows.len(), given.values().map(std::collections::BTreeSet::len).sum::<usize>());
            assert!(rows.iter().all(|row| given[&row.entity].contains(&row.role)), "{rows:?}");
        }
        assert_eq!(catalogue.role_mappings(&[]).await.unwrap(), [].into());
        assert_eq!(catalogue.role_bindings_v1("other").await.unwrap(), RoleBindings::new());
        let long = RoleBindings::from([(format!("{}/web", "x".repeat(255)).parse().unwrap(), [Role::Viewer].into())]);
        let error = catalogue.update_namespace(&team, None, Some(&long)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        catalogue.delete_namespace(&team).await.unwrap();
        catalogue.create_namespace(&team).await.unwrap();
        assert_eq!(catalogue.role_bindings_v1("team").await.unwrap(), RoleBindings::new());
    })
    .await;
}

#[tokio::test]
async fn a_row_that_makes_no_sense_gives_no_role_and_takes_none_away() {
    both(async |fixture| {
        fixture.catalogue.create_namespace(&name("team")).await.unwrap();
        fixture
            .execute(
                "insert into namespace_role_mapping (namespace_id, entity, role) values \
                 (1, 'a/*', 'viewer'), (1, 'nothing', 'admin'), (1, 'a/*', 'owner')",
            )
            .await;
        let found = fixture.catalogue.role_bindings_v1("team").await.unwrap();
        assert_eq!(found, bindings(json!({"a/*": ["viewer"]})));
    })
    .await;
}

#[tokio::test]
async fn other_namespaces_have_one_role_each() {
    both(async |fixture| {
        let (catalogue, team, alice, bob) = (&fixture.catalogue, name("team"), name("alice"), name("bob"));
        for namespace in [&team, &alice] {
            catalogue.create_namespace(namespace).await.unwrap();
        }
        catalogue.create_namespace_role(&team, &alice, Role::Developer).await.unwrap();
        for (error, kind) in [
            (catalogue.create_namespace_role(&team, &alice, Role::Viewer).await, ErrorKind::Conflict),
            (catalogue.create_namespace_role(&team, &bob, Role::Viewer).await, ErrorKind::Invalid),
            (catalogue.create_namespace_role(&bob, &team, Role::Viewer).await, ErrorKind::NotFound),
            (catalogue.update_namespace_role(&alice, &team, Role::Viewer).await, ErrorKind::NotFound),
            (catalogue.delete_namespace_role(&team, &bob).await, ErrorKind::NotFound),
        ] {
            assert_eq!(error.unwrap_err().kind(), kind);
        }
        catalogue.update_namespace_role(&team, &alice, Role::Viewer).await.unwrap();
        let role = catalogue.namespace_role(&team, &alice).await.unwrap().unwrap();
        assert_eq!((&role.namespace, &role.other_namespace, role.role), (&team, &alice, Role::Viewer));
        assert_eq!(catalogue.namespace_roles(&team).await.unwrap(), [role]);
        let expected = RoleBindings::from([(ArnPattern::namespace(&team), [Role::Viewer].into())]);
        assert_eq!(catalogue.role_bindings_v2("alice").await.unwrap(), expected);
        assert_eq!(catalogue.role_bindings_v2("team").await.unwrap(), RoleBindings::new());
        catalogue.delete_namespace_role(&team, &alice).await.unwrap();
        assert_eq!(catalogue.namespace_role(&team, &alice).await.unwrap(), None);
        for _again in 0..2 {
            catalogue.create_namespace_role(&team, &alice, Role::Viewer).await.unwrap();
            catalogue.delete_namespace_roles(&team).await.unwrap();
            assert_eq!(catalogue.namespace_roles(&team).await.unwrap(), []);
        }
        catalogue.create_namespace_role(&team, &alice, Role::Viewer).await.unwrap();
        catalogue.delete_namespace(&alice).await.unwrap();
        catalogue.create_namespace(&alice).await.unwrap();
        assert_eq!(catalogue.role_bindings_v2("alice").await.unwrap(), RoleBindings::new());
    })
    .await;
}

#[tokio::test]
async fn thousands_of_patterns_are_no_burden() {
    both(async |fixture| {
        fixture.complete("team-7/web", &[]).await;
        fixture.complete("other/web", &[]).await;
        let patterns = (0..2_000).flat_map(|number| [format!("team-{number}/*"), format!("x-{number}*/a*b")]);
        let scope = Scope { patterns: patterns.map(|pattern| pattern.parse().unwrap()).collect() };
        let found = fixture.catalogue.environments(&EnvironmentQuery::new(&scope, 9)).await.unwrap();
        assert_eq!(found.total, 1);
        let everything = Scope::everything();
        let shared = EnvironmentQuery { shared_with: Some(&scope), ..EnvironmentQuery::new(&everything, 9) };
        assert_eq!(fixture.catalogue.environments(&shared).await.unwrap().total, 1);
    })
    .await;
}

async fn issue(fixture: &Fixture, sha256: &str, owner: &str, lifetime: Duration) -> TokenId {
    let new = NewToken {
        sha256,
        name: None,
        owner,
        primary_namespace: "service",
        role_bindings: &bindings(json!({"team/*": ["viewer"]})),
        expires_on: fixture.clock.now().after(lifetime),
    };
    fixture.catalogue.add_token(&new).await.unwrap()
}

#[tokio::test]
async fn tokens_are_listed_named_and_revoked() {
    both(async |fixture| {
        let (catalogue, hour) = (&fixture.catalogue, Duration::from_hours(1));
        let first = issue(fixture, "one", "alice", hour).await;
        let second = issue(fixture, "two", "alice", hour).await;
        let third = issue(fixture, "three", "bob", Duration::from_mins(1)).await;
        let page = PageRequest::first(2);
        let newest = catalogue.tokens(None, &page).await.unwrap();
        assert_eq!(newest.items.iter().map(|token| token.id).collect::<Vec<_>>(), [third, second]);
        let rest = PageRequest { limit: 2, start: Start::After(newest.next.unwrap()) };
        let rest = catalogue.tokens(None, &rest).await.unwrap();
        assert_eq!((rest.total, rest.next), (3, None));
        assert_eq!(rest.items[0].id, first);
        assert_eq!(rest.items[0].role_bindings, bindings(json!({"team/*": ["viewer"]})));
        assert_eq!((rest.items[0].owner.as_str(), rest.items[0].primary_namespace.as_str()), ("alice", "service"));

        catalogue.rename_token(first, Some("laptop")).await.unwrap();
        assert_eq!(catalogue.token(first).await.unwrap().unwrap().name.as_deref(), Some("laptop"));
        assert!(!catalogue.is_token_revoked("one").await.unwrap());
        catalogue.revoke_token(first).await.unwrap();
        assert!(catalogue.is_token_revoked("one").await.unwrap());
        assert_eq!(catalogue.token(first).await.unwrap(), None);
        assert_eq!(catalogue.tokens(Some("alice"), &page).await.unwrap().total, 1);

        fixture.clock.advance(Duration::from_mins(1));
        for error in [
            catalogue.revoke_token(first).await.unwrap_err(),
            catalogue.rename_token(first, None).await.unwrap_err(),
            catalogue.revoke_token(third).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::NotFound, "token does not exist"));
        }
        assert_eq!(catalogue.tokens(Some("bob"), &page).await.unwrap().total, 0);
        issue(fixture, "four", "bob", hour).await;
        let kept = fixture.texts("select sha256 from cs_token order by id").await;
        assert_eq!(kept, ["one", "two", "four"], "what is revoked stays until it is over, what is over goes");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_ends_after_year_9999_stays_revoked() {
    both(async |fixture| {
        let id = issue(fixture, "one", "alice", Duration::MAX).await;
        fixture.catalogue.revoke_token(id).await.unwrap();
        issue(fixture, "two", "alice", Duration::from_mins(1)).await;
        assert!(fixture.catalogue.is_token_revoked("one").await.unwrap());
    })
    .await;
}
