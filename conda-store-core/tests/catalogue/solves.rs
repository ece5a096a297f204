//! Solves that somebody waits for: until they are answered, called off, or nobody can wait for them any more.

use std::time::Duration;

use conda_store_core::{
    Error, ErrorKind, Result, Solution, SolvedPackage,
    catalogue::{Catalogue, NewSolve, OpenSolve, SolveProgress},
    clock::Clock,
    lockfile::Lockfile,
    model::SolveId,
    specification::SpecificationLimits,
};
use serde_json::json;

use crate::support::both;

/// How long the answer is waited for.
const LIMIT: Duration = Duration::from_mins(5);

const LOCKFILE: &str = r#"{"version": 1, "metadata": {"sources": [],
"content_hash": {"linux-64": "c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b"},
"channels": [{"url": "https://example.org/forge", "used_env_vars": []}], "platforms": ["linux-64"]},
"package": [{"name": "tzdata", "version": "2026f", "manager": "conda", "platform": "linux-64", "dependencies": {},
"url": "https://example.org/forge/noarch/tzdata-2026f-h2a47a6a_0.conda",
"hash": {"md5": "0d9c715c88745798350e40f29e7ee6e3"}, "category": "main", "optional": false}]}"#;

fn solution(version: &str) -> Solution {
    let package = SolvedPackage {
        name: "tzdata".into(),
        version: version.into(),
        build: "h2a47a6a_0".into(),
        build_number: 0,
        channel: "https://example.org/forge".into(),
        subdir: "noarch".into(),
        size: Some(10),
        sha256: None,
        md5: Some("0d9c715c88745798350e40f29e7ee6e3".into()),
        depends: vec!["python >=3.10".into()],
    };
    let lockfile = Lockfile::parse(LOCKFILE, &SpecificationLimits::default()).unwrap();
    Solution { packages: vec![package], lockfile }
}

async fn ask(catalogue: &Catalogue) -> SolveId {
    let new = NewSolve {
        id: SolveId::random(),
        namespace: "team".parse().unwrap(),
        environment: "web".parse().unwrap(),
        specification: json!({"name": "web", "dependencies": ["tzdata"]}),
        time_limit: LIMIT,
    };
    catalogue.create_solve(&new).await.unwrap();
    new.id
}

/// The answer, where there is one.
async fn answer(catalogue: &Catalogue, id: &SolveId) -> Option<Result<Solution>> {
    match catalogue.solve_progress(id).await.unwrap() {
        SolveProgress::Over(answer) => Some(answer.map(|solution| *solution)),
        SolveProgress::Open => None,
        SolveProgress::Missing => panic!("there is no such solve"),
    }
}

async fn is_missing(catalogue: &Catalogue, id: &SolveId) -> bool {
    matches!(catalogue.solve_progress(id).await.unwrap(), SolveProgress::Missing)
}

#[tokio::test]
async fn the_first_answer_is_kept_until_it_is_read() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let id = ask(catalogue).await;
        let open = OpenSolve {
            namespace: "team".parse().unwrap(),
            specification: json!({"name": "web", "dependencies": ["tzdata"]}),
            asked_on: fixture.clock.now(),
        };
        assert_eq!(catalogue.open_solve(&id).await.unwrap(), Some(open));
        assert!(catalogue.is_solve_open(&id).await.unwrap());
        assert!(answer(catalogue, &id).await.is_none());

        catalogue.answer_solve(&id, Ok(solution("1"))).await.unwrap();
        catalogue.answer_solve(&id, Ok(solution("2"))).await.unwrap();
        assert_eq!(answer(catalogue, &id).await.unwrap().unwrap(), solution("1"));
        assert_eq!(catalogue.open_solve(&id).await.unwrap(), None);
        assert!(!catalogue.is_solve_open(&id).await.unwrap());
        catalogue.remove_solve(&id).await.unwrap();
        assert!(is_missing(catalogue, &id).await);
    })
    .await;
}

#[tokio::test]
async fn an_error_is_an_answer_with_all_its_words() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let id = ask(catalogue).await;
        let error = Error::new(ErrorKind::Unsatisfiable, "solve environment", "nothing matches")
            .with("package", "tzdata\0")
            .with_source("the whole story");
        let words = (error.kind(), error.to_string(), error.report());
        catalogue.answer_solve(&id, Err(error)).await.unwrap();
        let read = answer(catalogue, &id).await.unwrap().unwrap_err();
        assert_eq!((read.kind(), read.to_string(), read.report()), words);
    })
    .await;
}

#[tokio::test]
async fn what_was_called_off_takes_no_answer() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let id = ask(catalogue).await;
        catalogue.remove_solve(&id).await.unwrap();
        catalogue.answer_solve(&id, Ok(solution("1"))).await.unwrap();
        assert!(is_missing(catalogue, &id).await);
        assert!(!catalogue.is_solve_open(&id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_nobody_can_wait_for_is_not_solved_and_soon_gone() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let (open, answered) = (ask(catalogue).await, ask(catalogue).await);
        catalogue.answer_solve(&answered, Ok(solution("1"))).await.unwrap();
        fixture.clock.advance(LIMIT);
        assert!(!catalogue.is_solve_open(&open).await.unwrap());
        assert_eq!(catalogue.open_solve(&open).await.unwrap(), None);
        assert_eq!(catalogue.open_solves(Duration::ZERO, None, 10).await.unwrap(), []);
        catalogue.remove_expired_solves().await.unwrap();
        assert!(!is_missing(catalogue, &open).await, "whoever asked is the one to say that the time is over");
        fixture.clock.advance(Duration::from_mins(2));
        catalogue.remove_expired_solves().await.unwrap();
        assert!(is_missing(catalogue, &open).await && is_missing(catalogue, &answered).await);
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_found_in_pieces() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let mut expected = Vec::new();
        for _ in 0..5 {
            expected.push(ask(catalogue).await);
        }
        let answered = ask(catalogue).await;
        catalogue.answer_solve(&answered, Ok(solution("1"))).await.unwrap();
        fixture.clock.advance(Duration::from_secs(10));
        ask(catalogue).await;
        expected.sort();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let piece = catalogue.open_solves(Duration::from_secs(5), after.as_ref(), 2).await.unwrap();
            assert!(piece.iter().all(|(_, namespace)| namespace.as_str() == "team"));
            let Some((last, _)) = piece.last() else { break };
            after = Some(last.clone());
            found.extend(piece.into_iter().map(|(id, _)| id));
        }
        assert_eq!(found, expected);
    })
    .await;
}
