//! What kind of file an archive is, and that every artifact is the same wherever it was made.

use super::{
    super::{Draft, MADE, Request},
    *,
};
use crate::model::{ArchiveFormat, ArtifactType};

pub(super) fn request(prefix: &Path, archive_format: ArchiveFormat) -> Request {
    Request {
        prefix: prefix.to_owned(),
        name: "lab".parse().unwrap(),
        build_key: "key".into(),
        channel_alias: "https://conda.anaconda.org".into(),
        archive_format,
        pip: Vec::new(),
    }
}

async fn made(artifact_type: ArtifactType, request: Request) -> (String, Vec<u8>) {
    let Draft { key, content, .. } = Draft::read(artifact_type, request).await.unwrap();
    let pieces: Vec<_> = content.stream().try_collect().await.unwrap();
    (key.to_string(), pieces.concat())
}

async fn archive_of(prefix: &Path, format: ArchiveFormat) -> Vec<u8> {
    let (key, archive) = made(ArtifactType::CondaPack, request(prefix, format)).await;
    assert_eq!(key, format!("archive/key.{format}"));
    archive
}

/// Unpacks a file system.
fn unsquash(program: &str, image: &[u8], target: &Path) {
    let file = target.with_extension("squashfs");
    fs::write(&file, image).unwrap();
    // As somebody who may set no owner: everything belongs to root in it.
    run(Command::new(program).args(["-no-progress", "-no-xattrs", "-dest"]).arg(target).arg(&file));
}

#[tokio::test]
async fn one_lock_has_the_same_artifacts_wherever_it_was_built() {
    let Some(channel) = channel() else { return };
    let specs: Vec<_> = SCIENCE.into_iter().chain(NO_PYTHON).chain(["hello-py", "activation"]).collect();
    let records = solve(&channel, &specs);
    let (mut digests, mut unpacked) = (Vec::new(), Vec::new());
    for name in ["short".to_owned(), long_name()] {
        let workshop = Workshop::open().await;
        let environment = installed(&workshop, &name, records.clone()).await;
        // What Python compiles when it runs must not be in it.
        run(Command::new(environment.prefix.join("bin/python")).args(["-c", "import flask"]));
        let mut found = BTreeMap::new();
        for artifact_type in MADE {
            for format in ArchiveFormat::ALL {
                let (key, bytes) = made(artifact_type, request(&environment.prefix, format)).await;
                found.insert(key, hex::encode(Sha256::digest(&bytes)));
            }
        }
        digests.push(found);
        unpack(&archived(&environment.prefix).await, &workshop.directory.path().join("unpacked"));
        unpacked.push(contents(&workshop.directory.path().join("unpacked")));
    }
    for (path, content) in &unpacked[0] {
        assert!(unpacked[1].get(path) == Some(content), "{} differs", path.display());
    }
    assert_eq!(digests[0].len(), MADE.len() + ArchiveFormat::ALL.len() - 1);
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn every_format_has_the_same_files() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let specs: Vec<_> = NO_PYTHON.into_iter().chain(["python=3.11", "hello-py", "activation"]).collect();
    let environment = installed(&workshop, "env", solve(&channel, &specs)).await;
    fs::create_dir(environment.prefix.join("share/nothing")).unwrap();
    fs::hard_link(environment.prefix.join("bin/python3.11"), environment.prefix.join("bin/another")).unwrap();
    let root = workshop.directory.path();
    unpack(&archive_of(&environment.prefix, ArchiveFormat::TarGz).await, &root.join("gzip"));
    let expected = contents(&root.join("gzip"));

    let compressed = archive_of(&environment.prefix, ArchiveFormat::TarZst).await;
    let mut tar = Vec::new();
    zstd::stream::copy_decode(&compressed[..], &mut tar).unwrap();
    tar::Archive::new(&tar[..]).unpack(root.join("zstandard")).unwrap();
    assert!(contents(&root.join("zstandard")) == expected);

    let Some(unsquashfs) = testing::service("unsquashfs") else { return };
    let image = archive_of(&environment.prefix, ArchiveFormat::Squashfs).await;
    unsquash(&unsquashfs, &image, &root.join("squashfs"));
    let unpacked = contents(&root.join("squashfs"));
    let names = |contents: &BTreeMap<PathBuf, _>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&unpacked), names(&expected));
    for (path, content) in &expected {
        assert!(unpacked[path] == *content, "{} differs", path.display());
    }
    for format in ["gzip", "zstandard", "squashfs"] {
        assert!(root.join(format).join("share/nothing").is_dir(), "{format}");
    }
    run(&mut Command::new(root.join("squashfs/bin/conda-unpack")));
    run(Command::new(root.join("squashfs/bin/python")).args(["-c", "import sysconfig, ssl"]));
}

#[tokio::test]
async fn a_file_system_has_room_for_many_files() {
    let Some(unsquashfs) = testing::service("unsquashfs") else { return };
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = installed(&workshop, "env", solve(&channel, &["many-files"])).await;
    let root = workshop.directory.path();
    unsquash(&unsquashfs, &archive_of(&environment.prefix, ArchiveFormat::Squashfs).await, &root.join("squashfs"));
    unpack(&archive_of(&environment.prefix, ArchiveFormat::TarGz).await, &root.join("gzip"));
    assert!(contents(&root.join("squashfs")) == contents(&root.join("gzip")));
}
