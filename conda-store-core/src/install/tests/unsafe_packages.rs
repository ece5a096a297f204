//! Packages that are not what they claim, or want more than they may.

use serde_json::json;
use tar::EntryType;

use super::{fixture::Workshop, package::Draft};
use crate::ErrorKind;

/// A draft, and a part of the sentence that refuses it.
fn refused() -> Vec<(Draft, &'static str)> {
    let good = || Draft::path("share/good", "good");
    let with = |name, extra| Draft::new(name).file("share/good", "good").paths(&json!([good(), extra]));
    let mut other_name = Draft::new("other-name").file("share/good", "good");
    other_name.index["name"] = json!("numpy");
    let mut other_version = Draft::new("other-version").file("share/good", "good");
    other_version.index["version"] = json!("2.0");
    let mut other_build = Draft::new("other-build").file("share/good", "good");
    other_build.index["build"] = json!("1");
    vec![
        (Draft::new("parent").file("../escaped", "x"), "archive entry '../escaped' contains '..'"),
        (Draft::new("inner-parent").file("share/../../escaped", "x"), "contains '..'"),
        (Draft::new("absolute").file("/tmp/conda-store-escaped", "x"), "is absolute"),
        (
            Draft::new("through-link").entry(EntryType::Symlink, "share", "/tmp").file("share/escaped", "x"),
            "archive entry 'share' is a link, and another entry is to be written through it",
        ),
        (Draft::new("hard-link").entry(EntryType::Link, "share/passwd", "/etc/passwd"), "is absolute"),
        (Draft::new("hard-link-up").entry(EntryType::Link, "share/passwd", "../passwd"), "contains '..'"),
        (
            Draft::new("link-to-link").entry(EntryType::Symlink, "a", "/etc/passwd").entry(EntryType::Link, "b", "a"),
            "archive entry 'b' is a hard link to something that is no file of the package",
        ),
        (Draft::new("device").entry(EntryType::Char, "dev/null", ""), "is neither a file nor a directory nor a link"),
        (Draft::new("pipe").entry(EntryType::Fifo, "pipe", ""), "is neither a file nor a directory nor a link"),
        (Draft::new("twice").file("share/a", "x").file("share/a", "y"), "archive entry 'share/a' occurs twice"),
        (other_name, "package has the name 'numpy' in info/index.json, but the channel says 'other-name'"),
        (other_version, "package has the version '2.0' in info/index.json, but the channel says '1.0'"),
        (other_build, "package has the build '1' in info/index.json, but the channel says '0'"),
        (with("listed-parent", json!({"_path": "../x", "path_type": "directory"})), "file '../x' must be a relative"),
        (with("listed-absolute", json!({"_path": "/tmp/x", "path_type": "hardlink"})), "file '/tmp/x' must be"),
        (with("listed-nothing", json!({"_path": "", "path_type": "directory"})), "must be a relative path"),
        (with("listed-twice", good()), "file 'share/good' is listed twice in info/paths.json"),
        (
            with("listed-missing", json!({"_path": "share/bad", "path_type": "hardlink"})),
            "file 'share/bad' is listed in info/paths.json but not in the package",
        ),
        (
            Draft::new("other-type").file("a", "x").paths(&json!([{"_path": "a", "path_type": "softlink"}])),
            "file 'a' is a file where a symbolic link is stated",
        ),
        (
            Draft::new("below-link").entry(EntryType::Symlink, "a", "info").paths(&json!([
                {"_path": "a/index.json", "path_type": "hardlink"}
            ])),
            "file 'a/index.json' lies below 'a', which is a link and has to be a directory",
        ),
        (
            Draft::new("below-file").file("a", "x").paths(&json!([
                Draft::path("a", "x"), {"_path": "a/b", "path_type": "directory"}
            ])),
            "file 'a' is no directory, but other entries lie below it",
        ),
        (
            Draft::new("other-size").file("a", "abc").paths(&json!([
                {"_path": "a", "path_type": "hardlink", "size_in_bytes": 4}
            ])),
            "file 'a' has 3 bytes where 4 are stated",
        ),
        (
            Draft::new("other-hash").file("a", "abc").paths(&json!([Draft::path("a", "abd")])),
            "file 'a' has the sha256 ba7816bf",
        ),
        (
            Draft::new("own-record").file("conda-meta/numpy-1-0.json", "{}"),
            "file 'conda-meta/numpy-1-0.json' belongs to the environment itself",
        ),
        (
            Draft::new("empty-placeholder").file("a", "abc").paths(&json!([{
                "_path": "a", "path_type": "hardlink", "prefix_placeholder": "", "file_mode": "text"
            }])),
            "file 'a' has an empty prefix_placeholder",
        ),
    ]
}

#[tokio::test]
async fn each_is_refused_with_a_sentence_and_leaves_nothing() {
    let workshop = Workshop::open().await;
    let archives = workshop.directory.path();
    for (draft, sentence) in refused() {
        let record = draft.write(archives);
        let error = workshop.store.get(&record, &workshop.cancellation).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {error:?}", draft.name);
        let text = error.to_string();
        assert!(text.contains(sentence), "{}: {text}", draft.name);
        assert!(text.contains(&format!("{}-1.0-0.tar.bz2", draft.name)), "{text}");
        assert_eq!(workshop.stored("packages"), Vec::<std::path::PathBuf>::new(), "{}", draft.name);
        assert_eq!(workshop.stored("partial"), Vec::<std::path::PathBuf>::new(), "{}", draft.name);
    }
    assert!(!archives.parent().unwrap().join("escaped").try_exists().unwrap());
}

#[tokio::test]
async fn an_archive_must_have_the_stated_checksum_and_size() {
    let workshop = Workshop::open().await;
    let draft = Draft::new("good").file("share/good", "good");
    let record = draft.write(workshop.directory.path());
    let mut changed = record.clone();
    changed.package_record.sha256 = Some(rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>("x"));
    let error = workshop.store.get(&changed, &workshop.cancellation).await.unwrap_err();
    assert!(error.message().starts_with("file has the sha256 "), "{error}");
    let mut longer = record.clone();
    longer.package_record.size = record.package_record.size.map(|size| size + 1);
    let error = workshop.store.get(&longer, &workshop.cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let mut shorter = record.clone();
    shorter.package_record.size = Some(3);
    let error = workshop.store.get(&shorter, &workshop.cancellation).await.unwrap_err();
    assert!(error.message().contains("more than the 3 bytes"), "{error}");
    let mut unknown = record.clone();
    unknown.package_record.sha256 = None;
    let error = workshop.store.get(&unknown, &workshop.cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(workshop.stored("packages").len(), 0);
    let path = record.url.to_file_path().unwrap();
    unknown.package_record.md5 = Some(rattler_digest::compute_file_digest::<rattler_digest::Md5>(path).unwrap());
    workshop.store.get(&unknown, &workshop.cancellation).await.unwrap();
    workshop.store.get(&record, &workshop.cancellation).await.unwrap();
    assert_eq!(workshop.stored("packages").len(), 2, "one by md5 and size, one by sha256");
}

#[tokio::test]
async fn a_truncated_archive_is_refused_even_with_its_own_checksum() {
    let workshop = Workshop::open().await;
    let draft = Draft::new("cut").file("share/a", &"some text ".repeat(1000));
    let whole = draft.write(workshop.directory.path());
    let path = whole.url.to_file_path().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let half = &bytes[..bytes.len() / 2];
    std::fs::write(&path, half).unwrap();
    let error = workshop.store.get(&draft.record(half, whole.url), &workshop.cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().starts_with("archive cannot be read"), "{error}");
    assert_eq!(workshop.stored("partial").len(), 0);
}

/// The archive and its checksum are the same, but a second record gives it another name.
#[tokio::test]
async fn a_cached_package_is_still_compared_with_the_record() {
    let workshop = Workshop::open().await;
    let record = Draft::new("good").file("share/good", "good").write(workshop.directory.path());
    workshop.store.get(&record, &workshop.cancellation).await.unwrap();
    let mut renamed = record;
    renamed.package_record.name = rattler_conda_types::PackageName::new_unchecked("better");
    let error = workshop.store.get(&renamed, &workshop.cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
