//! What is chosen, and what is said where nothing can be.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rattler_conda_types::{ChannelUrl, PackageName, Subdir};
use tokio_util::sync::CancellationToken;

use super::{Lists, channel_directory, directory_url, request, shown, solve};
use crate::{
    ErrorKind,
    event::Silent,
    solver::{ChannelPriority, Solver as _},
};

/// The package that has to be first among the words, and the words that the explanation has to contain.
const UNSOLVABLE: [(&[&str], &[&str]); 10] = [
    (&["duel-left", "duel-right"], &["duel-left", "duel-right", "duel-core"]),
    (&["needs-old-numpy", "needs-new-numpy"], &["needs-old-numpy", "needs-new-numpy", "numpy"]),
    (&["missing-dependency"], &["no package \"no-such-package-anywhere\"", "file:///"]),
    (&["python=3.11", "only-py313"], &["only-py313", "python 3.11", "python >=3.13", "python 3.13.5"]),
    (&["python=3.99"], &["python 3.99.*", "3.11.2, 3.13.5"]),
    (&["needs-future-glibc"], &["needs-future-glibc", "__glibc >=99"]),
    (&["needs-cuda"], &["needs-cuda", "__cuda", "CONDA_OVERRIDE_CUDA"]),
    (&["needs-win"], &["needs-win", "__win"]),
    (&["constrains-numpy", "numpy>=2"], &["constrains-numpy", "numpy <2"]),
    (&["numpi", "python"], &["no package \"numpi\"", "numpy", "linux-64", "file:///"]),
];

#[tokio::test]
async fn an_unsolvable_request_is_explained() {
    let Some(directory) = channel_directory() else { return };
    let (lists, channel) = (Lists::new(), directory_url(&directory));
    let solver = lists.solver();
    for (specs, words) in UNSOLVABLE {
        let error = solve(&solver, &request(&[&channel], specs)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsatisfiable, "{specs:?}: {error:?}");
        println!("{specs:?}\n{}\n", error.message());
        for word in words {
            assert!(error.message().contains(word), "{specs:?}: {word} is missing in:\n{}", error.message());
        }
    }
}

/// Match specs, and what of their packages has to be chosen.
const CHOSEN: [(&[&str], &[&str]); 14] = [
    (&["version-zoo"], &["version-zoo 1!0.5 0"]),
    (&["version-zoo=1.1"], &["version-zoo 1.1.post1 0"]),
    (&["version-zoo==1.1"], &["version-zoo 1.1 0"]),
    (&["version-zoo>=1.1a1,<1.1"], &["version-zoo 1.1+local.2 0"]),
    (&["version-zoo>=1.1a1,<=1.1.dev3"], &["version-zoo 1.1.dev3 0"]),
    (&["variant"], &["variant 1.1 openblas_0"]),
    (&["variant=1.0"], &["variant 1.0 cpu_1"]),
    (&["pin-variant"], &["variant 1.0 cpu_1", "pin-variant 1.0 0"]),
    (&["constrains-numpy", "numpy"], &["numpy 1.26.4 py311hcebcd5f_0"]),
    (&["needs-glibc", "needs-linux"], &["needs-glibc 1.0 0", "needs-linux 1.0 0"]),
    (&["both-formats"], &["both-formats 1.0 0"]),
    (&["only-bz2"], &["only-bz2 1.0 0"]),
    (&["cycle-a"], &["cycle-a 1.0 0", "cycle-b 1.0 0"]),
    (&["python=3.11", "numpy", "pandas", "flask"], &["numpy 2.2.6 py311h5d4c32e_0", "pandas 2.2.3 py311h437b9f8_0"]),
];

#[tokio::test]
async fn the_best_packages_are_chosen() {
    let Some(directory) = channel_directory() else { return };
    let (lists, channel) = (Lists::new(), directory_url(&directory));
    let solver = lists.solver();
    for (specs, expected) in CHOSEN {
        let records = solve(&solver, &request(&[&channel], specs)).await.unwrap();
        let chosen = shown(&records);
        for package in expected {
            assert!(chosen.iter().any(|chosen| chosen == package), "{specs:?}: {package} is not among {chosen:?}");
        }
        assert!(records.iter().all(|record| record.url.as_str().starts_with(channel.as_str())));
        assert!(records.iter().all(|record| record.channel.as_deref() == Some(channel.as_str())));
    }
}

#[tokio::test]
async fn dependencies_come_first_and_each_package_once() {
    let Some(directory) = channel_directory() else { return };
    let (lists, channel) = (Lists::new(), directory_url(&directory));
    let solver = lists.solver();
    let chain = shown(&solve(&solver, &request(&[&channel], &["chain-00"])).await.unwrap());
    let expected: Vec<String> = (0..50).rev().map(|link| format!("chain-{link:02} 1.0 0")).collect();
    assert_eq!(chain, expected);
    let again = solve(&solver, &request(&[&channel], &["python=3.11", "numpy", "flask"])).await.unwrap();
    let position = |name: &str| again.iter().position(|record| record.package_record.name.as_normalized() == name);
    assert!(position("python") < position("numpy"), "{:?}", shown(&again));
    assert!(position("werkzeug") < position("flask"), "{:?}", shown(&again));
}

#[tokio::test]
async fn an_override_makes_a_virtual_package() {
    let Some(directory) = channel_directory() else { return };
    let (lists, channel) = (Lists::new(), directory_url(&directory));
    let solver = lists.solver();
    let mut request = request(&[&channel], &["needs-cuda", "variant=1.0"]);
    request.variables.insert("CONDA_OVERRIDE_CUDA".to_owned(), "12.0".to_owned());
    let mut chosen = shown(&solve(&solver, &request).await.unwrap());
    chosen.sort();
    assert_eq!(chosen, ["needs-cuda 1.0 0", "variant 1.0 cuda_1"]);
    request.variables.insert("CONDA_OVERRIDE_CUDA".to_owned(), "11.8".to_owned());
    assert_eq!(solve(&solver, &request).await.unwrap_err().kind(), ErrorKind::Unsatisfiable);
    request.variables.insert("CONDA_OVERRIDE_CUDA".to_owned(), "twelve!".to_owned());
    let error = solve(&solver, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("CONDA_OVERRIDE_CUDA"), "{error}");
}

#[tokio::test]
async fn each_platform_is_solved_by_itself() {
    let Some(directory) = channel_directory() else { return };
    let (lists, channel) = (Lists::new(), directory_url(&directory));
    let mut request = request(&[&channel], &["chain-40"]);
    request.platforms = vec![Subdir::Linux64, Subdir::Win64, Subdir::OsxArm64];
    let lock = lists.solver().solve(&request, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(lock.platforms.keys().copied().collect::<Vec<_>>().len(), 3);
    assert!(lock.platforms.values().all(|records| records.len() == 10));

    request.specs = vec!["needs-win".to_owned()];
    request.platforms = vec![Subdir::Win64];
    let lock = lists.solver().solve(&request, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(shown(&lock.platforms[&Subdir::Win64]), ["needs-win 1.0 0"]);
}

#[tokio::test]
async fn channel_priority_is_strict_or_none() {
    let first = made_channel(&[("tool", "1.0"), ("other", "1.0")]);
    let second = made_channel(&[("tool", "2.0")]);
    let (one, two) = (directory_url(first.path()), directory_url(second.path()));
    let solver = Lists::new().solver();
    let mut request = request(&[&one, &two], &["tool"]);
    let chosen = solve(&solver, &request).await.unwrap();
    assert_eq!(
        (shown(&chosen), chosen[0].url.as_str().starts_with(one.as_str())),
        (vec!["tool 1.0 0".to_owned()], true)
    );
    request.channel_priority = ChannelPriority::Disabled;
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 2.0 0"]);
    request.channel_priority = ChannelPriority::Strict;
    request.specs = vec![format!("{two}::tool")];
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 2.0 0"]);
}

#[tokio::test]
async fn a_changed_directory_is_read_again_and_a_damaged_one_is_named() {
    let directory = made_channel(&[("tool", "1.0")]);
    let channel = directory_url(directory.path());
    let solver = Lists::new().solver();
    let request = request(&[&channel], &["tool"]);
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 1.0 0"]);
    write_list(directory.path(), &[("tool", "1.0"), ("tool", "1.10")]);
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 1.10 0"]);

    std::fs::write(directory.path().join("noarch/repodata.json"), "{\"packages\": {\"tool").unwrap();
    let error = solve(&solver, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.to_string().contains(&format!("{channel}noarch")), "{error}");
    write_list(directory.path(), &[("tool", "3.0")]);
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 3.0 0"]);
}

#[tokio::test]
async fn a_channel_that_is_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let channel = directory_url(&directory.path().join("nowhere"));
    let error = solve(&Lists::new().solver(), &request(&[&channel], &["tool"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(channel.as_str()), "{error}");
}

#[tokio::test]
async fn a_spec_that_is_none_is_named() {
    let directory = made_channel(&[("tool", "1.0")]);
    let channel = directory_url(directory.path());
    let solver = Lists::new().solver();
    for spec in ["tool >=", "py*", "https://conda.example.org/tool-1.0-0.conda", "elsewhere::tool", "--help"] {
        let error = solve(&solver, &request(&[&channel], &[spec])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{spec}: {error:?}");
        assert!(error.message().contains(spec), "{error}");
    }
}

#[tokio::test]
async fn names_are_listed_in_order() {
    let directory = made_channel(&[("tool", "1.0"), ("anvil", "1.0"), ("tool", "2.0")]);
    let channels = [ChannelUrl::from(directory_url(directory.path()))];
    let names = Lists::new().open().names(&channels, &[Subdir::Linux64, Subdir::NoArch]).await.unwrap();
    assert_eq!(names.iter().map(PackageName::as_normalized).collect::<Vec<_>>(), ["anvil", "tool"]);
}

/// Pigeons and one hole less: every way of putting them there has to be tried, far beyond the time limit.
fn hopeless_channel(pigeons: usize) -> tempfile::TempDir {
    let mut packages = Vec::new();
    for pigeon in 0..pigeons {
        for hole in 0..pigeons - 1 {
            packages.push((format!("pigeon-{pigeon}"), format!("{hole}.0"), vec![format!("hole-{hole} =={pigeon}.0")]));
            packages.push((format!("hole-{hole}"), format!("{pigeon}.0"), Vec::new()));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("noarch")).unwrap();
    write_packages(directory.path(), &packages);
    directory
}

#[test]
fn the_solver_itself_ends_with_cancellation_and_with_the_time_limit() {
    let directory = hopeless_channel(14);
    let specs: Vec<String> = (0..14).map(|pigeon| format!("pigeon-{pigeon}")).collect();
    let mut request = request(&[&directory_url(directory.path())], &[]);
    request.specs = specs;
    for (limit, kind) in [(1, ErrorKind::Timeout), (100, ErrorKind::Cancelled)] {
        request.time_limit = Duration::from_secs(limit);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let started = Instant::now();
        let outcome = runtime.block_on(async {
            let (solver, cancellation) = (Lists::new().solver(), CancellationToken::new());
            let cancel = async {
                tokio::time::sleep_until((started + Duration::from_secs(2)).into()).await;
                cancellation.cancel();
            };
            tokio::join!(solver.solve(&request, &Silent, &cancellation), cancel).0
        });
        assert_eq!(outcome.unwrap_err().kind(), kind);
        // Dropping the runtime waits for the solver's thread.
        let stopped = Instant::now();
        drop(runtime);
        assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
    }
}

/// A channel with these noarch packages that have no dependencies.
pub(super) fn made_channel(packages: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("noarch")).unwrap();
    write_list(directory.path(), packages);
    directory
}

pub(super) fn write_list(directory: &Path, packages: &[(&str, &str)]) {
    let packages: Vec<_> =
        packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned(), Vec::new())).collect();
    write_packages(directory, &packages);
}

/// Writes a list of packages with name, version and dependencies.
fn write_packages(directory: &Path, packages: &[(String, String, Vec<String>)]) {
    let record = |(name, version, depends): &(String, String, Vec<String>)| {
        let record = serde_json::json!({
            "name": name, "version": version, "build": "0", "build_number": 0, "depends": depends, "subdir": "noarch",
            "sha256": "0".repeat(64), "size": 1,
        });
        (format!("{name}-{version}-0.conda"), record)
    };
    let records: serde_json::Map<_, _> = packages.iter().map(record).collect();
    let list = serde_json::json!({"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": records});
    std::fs::write(directory.join("noarch/repodata.json"), list.to_string()).unwrap();
}
