//! Archives have one digest where they are the same, and another one where anything in them differs.

use std::{
    collections::BTreeSet,
    fs::File,
    time::{Duration, SystemTime},
};

use super::{super::Draft, formats::request, *};
use crate::model::{ArchiveFormat, ArtifactType};

/// The digests of the archive of an environment, as it is known before and after it is made.
async fn digests(prefix: &Path, artifact_type: ArtifactType, archive_format: ArchiveFormat) -> (String, String) {
    let draft = Draft::read(artifact_type, request(prefix, archive_format)).await.unwrap();
    let pieces: Vec<_> = draft.content.stream().try_collect().await.unwrap();
    let content = draft.digest().await.unwrap().unwrap();
    let known = format!("{} {content}", draft.packages().unwrap());
    (known, hex::encode(Sha256::digest(pieces.concat())))
}

async fn archive_digests(prefix: &Path) -> (String, String) {
    digests(prefix, ArtifactType::CondaPack, ArchiveFormat::TarGz).await
}

/// What somebody does to the environment in a directory.
type Change = fn(&Path);

/// Turns the file around, which leaves its size as it is, and says when it was written to before.
fn turn_around(file: &Path) -> SystemTime {
    let before = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    bytes.reverse();
    fs::write(file, bytes).unwrap();
    before
}

/// As [`turn_around`], and nobody sees it who does not read the file.
fn turn_around_secretly(file: &Path) {
    let before = turn_around(file);
    File::options().append(true).open(file).unwrap().set_modified(before).unwrap();
}

/// A file that linking leaves as it is.
fn plain(prefix: &Path) -> PathBuf {
    prefix.join("share/softlinks/dir/file.txt")
}

/// Has one more package say that it brought what `softlinks` did, as conda does where two bring the same path.
fn claim_again(prefix: &Path) {
    let record = |name: &str| prefix.join(format!("conda-meta/{name}-1.0-0.json"));
    let read = |name: &str| serde_json::from_slice::<serde_json::Value>(&fs::read(record(name)).unwrap()).unwrap();
    let mut claiming = read("clobber-a");
    claiming["paths_data"]["paths"] = read("softlinks")["paths_data"]["paths"].take();
    fs::write(record("clobber-a"), serde_json::to_vec(&claiming).unwrap()).unwrap();
}

fn pip(prefix: &Path, text: &str) {
    fs::create_dir_all(prefix.join("lib/tool-1.dist-info")).unwrap();
    fs::write(prefix.join("lib/tool-1.dist-info/METADATA"), text).unwrap();
}

#[tokio::test]
async fn a_digest_stands_for_everything_that_the_archive_depends_on() {
    let Some(channel) = channel() else { return };
    let specs = ["prefix-text", "prefix-binary", "softlinks", "clobber-a", "clobber-b"];
    let mut found = BTreeMap::new();
    let mut digests_of = async |case: &str, specs: &[&str], variables: &[(&str, &str)], change: Change| {
        // With a cache of its own: files that are changed are those of the cache, too.
        let workshop = Workshop::open().await;
        let name = if case == "another place" { long_name() } else { "env".into() };
        let mut environment = workshop.environment(&name, solve(&channel, specs));
        fs::create_dir_all(environment.prefix.parent().unwrap()).unwrap();
        environment.variables.extend(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        workshop.install(&environment).await.unwrap();
        change(&environment.prefix);
        let (known, made) = archive_digests(&environment.prefix).await;
        found.insert(case.to_owned(), (known.clone(), made.clone()));
        (known, made)
    };
    let nothing: Change = |_| {};
    let first = digests_of("first", &specs, &[], nothing).await;
    assert_eq!(digests_of("another place", &specs, &[], nothing).await, first);

    digests_of("a package less", &specs[1..], &[], nothing).await;
    digests_of("a variable", &specs, &[("GREETING", "hello")], nothing).await;
    digests_of("another value", &specs, &[("GREETING", "good day")], nothing).await;
    digests_of("a file that somebody wrote to", &specs, &[], |prefix| {
        turn_around(&plain(prefix));
    })
    .await;
    digests_of("a file that is gone", &specs, &[], |prefix| fs::remove_file(plain(prefix)).unwrap()).await;
    digests_of("another mode", &specs, &[], |prefix| {
        fs::set_permissions(plain(prefix), fs::Permissions::from_mode(0o600)).unwrap();
    })
    .await;
    digests_of("pip", &specs, &[], |prefix| pip(prefix, "Name: tool\nVersion: 1\n\n")).await;
    digests_of("another pip", &specs, &[], |prefix| pip(prefix, "Name: tool\nVersion: 2\n\n")).await;
    digests_of("pip that changed a file of a package", &specs, &[], |prefix| {
        pip(prefix, "Name: tool\nVersion: 1\n\n");
        turn_around_secretly(&plain(prefix));
    })
    .await;
    let scripts = [&specs[..], &["post-link"]].concat();
    digests_of("a script", &scripts, &[], nothing).await;
    digests_of("a script that changed a file of a package", &scripts, &[], |prefix| {
        turn_around_secretly(&plain(prefix));
    })
    .await;

    digests_of("a file that two packages claim", &specs, &[], claim_again).await;
    digests_of("a file that two packages claim, changed", &specs, &[], |prefix| {
        claim_again(prefix);
        turn_around_secretly(&plain(prefix));
    })
    .await;

    let cases = found.len();
    let known: BTreeSet<_> = found.values().map(|(known, _)| known).collect();
    let made: BTreeSet<_> = found.values().map(|(_, made)| made).collect();
    assert_eq!((known.len(), made.len()), (cases - 1, cases - 1), "{found:#?}");
}

#[tokio::test]
async fn every_form_has_a_digest_of_its_own_and_what_is_made_at_once_has_none() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = installed(&workshop, "env", solve(&channel, &["prefix-text"])).await;
    let mut found = BTreeSet::new();
    for format in ArchiveFormat::ALL {
        found.insert(digests(&environment.prefix, ArtifactType::CondaPack, format).await.0);
        found.insert(digests(&environment.prefix, ArtifactType::ConstructorInstaller, format).await.0);
    }
    assert_eq!(found.len(), ArchiveFormat::ALL.len() + 1, "installers do not depend on the format");
}

#[tokio::test]
async fn what_is_known_of_a_file_is_not_read_and_too_much_is_not_read_either() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = installed(&workshop, "env", solve(&channel, &["softlinks"])).await;
    let tree = || Tree::read(&environment.prefix).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let digest = |tree: &Tree| super::super::digest::digest(tree, "archive", &stop).unwrap();
    let before = digest(&tree());
    assert!(before.is_some());
    turn_around_secretly(&plain(&environment.prefix));
    assert_eq!(digest(&tree()), before, "what only a disk does to a file is not looked for");

    let vast = environment.prefix.join("vast");
    File::create(&vast).unwrap().set_len(5 << 30).unwrap();
    assert_eq!(digest(&tree()), None);
    File::create(&vast).unwrap().set_len(1 << 30).unwrap();
    let begun = SystemTime::now();
    stop.cancel();
    assert!(super::super::digest::digest(&tree(), "archive", &stop).is_err());
    assert!(begun.elapsed().unwrap() < Duration::from_secs(5));
}
