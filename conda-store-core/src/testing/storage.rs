//! The conformance suite of [`Storage`]: one case per sentence of its contract.
//!
//! [`storage_suite!`](crate::storage_suite) makes a test of each. Every case gets a storage of its own that is empty.

#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "cases of a test suite fail by panicking")]

use std::{io::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::{self, Either},
    stream,
};

use crate::{
    Error, ErrorKind,
    storage::{Blob, Body, Link, LinkOptions, Storage, StorageExt, StorageKey},
};

/// Makes one `#[tokio::test]` of each case of the suite.
///
/// The argument is the path of a function whose future is an `Option<(Arc<dyn Storage>, Guard)>`: a new, empty storage,
/// and anything that has to live as long. `None` skips the case. The calling crate needs `tokio` with its macros.
#[macro_export]
macro_rules! storage_suite {
    ($fixture:path) => {
        $crate::storage_suite! { $fixture:
            gives_back_what_was_put
            takes_files_and_streams
            replaces_a_blob
            streams_twenty_mebibytes
            a_stream_that_fails_changes_nothing
            a_put_that_is_dropped_changes_nothing
            a_file_that_is_missing_changes_nothing
            concurrent_puts_leave_one_of_them_whole
            a_reader_keeps_the_blob_that_it_opened
            a_missing_blob_is_not_found
            a_range_yields_exactly_its_bytes
            a_range_beyond_the_end_is_invalid
            deletes_also_what_is_missing
            lists_by_the_prefix_as_text
            takes_odd_keys
            refuses_or_keeps_a_key_below_another
            the_etag_changes_with_the_content
            links_as_its_capabilities_say
        }
    };
    ($fixture:path: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            if let Some((storage, _guard)) = $fixture().await {
                $crate::testing::storage::$case(storage).await;
            }
        }
    )*};
}

fn key(text: &str) -> StorageKey {
    text.parse().unwrap()
}

async fn content(blob: Blob) -> Bytes {
    let parts: Vec<Bytes> = blob.stream.try_collect().await.unwrap();
    parts.concat().into()
}

async fn read(storage: &dyn Storage, text: &str) -> Bytes {
    storage.read(&key(text), u64::MAX).await.unwrap()
}

async fn keys(storage: &dyn Storage, prefix: &str) -> Vec<String> {
    storage.keys(prefix).await.unwrap().iter().map(ToString::to_string).collect()
}

/// A blob that was put can be read at once, with its size and key; also an empty one.
pub async fn gives_back_what_was_put(storage: Arc<dyn Storage>) {
    for (name, bytes) in [("logs/1.log", &b"one line\n"[..]), ("empty", b"")] {
        let put = storage.put(&key(name), Body::from(bytes.to_vec())).await.unwrap();
        assert_eq!((put.key.as_str(), put.size), (name, bytes.len() as u64));
        let blob = storage.get(&key(name), None).await.unwrap();
        assert_eq!((&blob.info, blob.range.clone()), (&put, 0..put.size));
        assert_eq!(content(blob).await, bytes);
        assert_eq!(storage.head(&key(name)).await.unwrap(), Some(put));
    }
}

/// Every form of a body is stored as it is.
pub async fn takes_files_and_streams(storage: Arc<dyn Storage>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"from a file").unwrap();
    storage.put(&key("file"), Body::File(file.path().to_owned())).await.unwrap();
    assert_eq!(read(&*storage, "file").await, &b"from a file"[..]);
    let parts = ["from ", "", "a stream"].map(|part| Ok(Bytes::from_static(part.as_bytes())));
    storage.put(&key("stream"), Body::Stream(stream::iter(parts).boxed())).await.unwrap();
    assert_eq!(read(&*storage, "stream").await, &b"from a stream"[..]);
}

/// A second put replaces the first, also by something shorter.
pub async fn replaces_a_blob(storage: Arc<dyn Storage>) {
    let first = storage.put(&key("a/b"), Body::from("the first content".to_owned())).await.unwrap();
    let second = storage.put(&key("a/b"), Body::from("second".to_owned())).await.unwrap();
    assert_eq!(read(&*storage, "a/b").await, &b"second"[..]);
    assert_eq!(keys(&*storage, "").await, ["a/b"]);
    assert!(second.modified >= first.modified, "{second:?} was written after {first:?}");
}

/// What does not fit one buffer arrives whole and in order.
pub async fn streams_twenty_mebibytes(storage: Arc<dyn Storage>) {
    const PART: usize = 1 << 20;
    let part = |index: u8| Bytes::from((0..PART).map(|at| index ^ at.to_le_bytes()[0]).collect::<Vec<u8>>());
    // Unlike most streams this one must not be asked again once it has ended.
    let parts = stream::unfold(0, move |index| async move { (index < 20).then(|| (Ok(part(index)), index + 1)) });
    let body = Body::Stream(parts.boxed());
    let info = storage.put(&key("large"), body).await.unwrap();
    assert_eq!(info.size, 20 << 20);
    let bytes = read(&*storage, "large").await;
    assert_eq!(bytes.len(), 20 << 20);
    for index in 0..20 {
        let start = usize::from(index) * PART;
        assert!(bytes[start..start + PART] == part(index), "mebibyte {index} differs");
    }
}

/// A put whose stream fails is an error, and changes nothing that a reader can see.
pub async fn a_stream_that_fails_changes_nothing(storage: Arc<dyn Storage>) {
    let failing = || {
        let error = Error::new(ErrorKind::Corrupt, "read package", "checksum differs");
        Body::Stream(stream::iter([Ok(Bytes::from_static(b"half")), Err(error)]).boxed())
    };
    storage.put(&key("kept"), Body::from("whole".to_owned())).await.unwrap();
    for name in ["kept", "new"] {
        let error = storage.put(&key(name), failing()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    }
    assert_eq!(read(&*storage, "kept").await, &b"whole"[..]);
    assert_eq!(keys(&*storage, "").await, ["kept"]);
}

/// A put that its caller gives up changes nothing that a reader can see.
pub async fn a_put_that_is_dropped_changes_nothing(storage: Arc<dyn Storage>) {
    storage.put(&key("kept"), Body::from("whole".to_owned())).await.unwrap();
    for name in ["kept", "new"] {
        let (reached, waiting) = tokio::sync::oneshot::channel();
        let endless = stream::once(async { Ok(Bytes::from_static(b"half")) }).chain(stream::once(async move {
            let _sent = reached.send(());
            future::pending().await
        }));
        let name = key(name);
        let put = storage.put(&name, Body::Stream(endless.boxed())).boxed();
        let first = future::select(put, waiting).await;
        assert!(matches!(first, Either::Right((Ok(()), _))), "the put ended before its stream");
    }
    assert_eq!(read(&*storage, "kept").await, &b"whole"[..]);
    assert_eq!(keys(&*storage, "").await, ["kept"]);
}

/// A put of a file that is not there is an error, and changes nothing.
pub async fn a_file_that_is_missing_changes_nothing(storage: Arc<dyn Storage>) {
    let directory = tempfile::tempdir().unwrap();
    storage.put(&key("kept"), Body::from("whole".to_owned())).await.unwrap();
    let missing = Body::File(directory.path().join("missing"));
    assert_eq!(storage.put(&key("kept"), missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(&*storage, "kept").await, &b"whole"[..]);
}

/// Of concurrent puts of one key one is left, whole, and nobody reads a mixture meanwhile.
pub async fn concurrent_puts_leave_one_of_them_whole(storage: Arc<dyn Storage>) {
    const SIZE: usize = 200_000;
    let whole = |bytes: &Bytes| bytes.len() == SIZE && bytes.iter().all(|byte| *byte == bytes[0]);
    storage.put(&key("contended"), Body::from(vec![b'0'; SIZE])).await.unwrap();
    let writer = |byte: u8| {
        let storage = Arc::clone(&storage);
        async move {
            let parts = (0..SIZE / 1000).map(move |_| Ok(Bytes::from(vec![byte; 1000])));
            storage.put(&key("contended"), Body::Stream(stream::iter(parts).boxed())).await.unwrap();
        }
    };
    let readers = async {
        for _ in 0..20 {
            assert!(whole(&read(&*storage, "contended").await), "a reader saw a part or a mixture");
        }
    };
    future::join(future::join_all((b'a'..=b'h').map(writer)), readers).await;
    let left = read(&*storage, "contended").await;
    assert!(whole(&left) && left[0] != b'0', "the blob that is left is none of those put");
}

/// A reader that opened a blob before it was replaced gets the old one, whole.
pub async fn a_reader_keeps_the_blob_that_it_opened(storage: Arc<dyn Storage>) {
    storage.put(&key("a"), Body::from(vec![b'1'; 500_000])).await.unwrap();
    let opened = storage.get(&key("a"), None).await.unwrap();
    storage.put(&key("a"), Body::from(vec![b'2'; 10])).await.unwrap();
    assert!(content(opened).await == vec![b'1'; 500_000], "the reader saw the new blob");
}

/// A missing blob is `NotFound` for get and link, `None` for head.
pub async fn a_missing_blob_is_not_found(storage: Arc<dyn Storage>) {
    storage.put(&key("a/b"), Body::from("x".to_owned())).await.unwrap();
    for name in ["missing", "a", "a/c", "missing/b", "a/b/c"] {
        assert_eq!(storage.get(&key(name), None).await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        assert_eq!(storage.link(&key(name), &link_options()).await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        assert_eq!(storage.head(&key(name)).await.unwrap(), None, "{name}");
    }
}

/// A range yields exactly its bytes, cut to the blob's end.
pub async fn a_range_yields_exactly_its_bytes(storage: Arc<dyn Storage>) {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    storage.put(&key("ranged"), Body::from(bytes.clone())).await.unwrap();
    for (range, expected) in [
        (0..1, 0..1),
        (0..300_000, 0..300_000),
        (100_000..200_001, 100_000..200_001),
        (299_999..300_000, 299_999..300_000),
        (299_990..u64::MAX, 299_990..300_000),
    ] {
        let blob = storage.get(&key("ranged"), Some(range)).await.unwrap();
        assert_eq!((blob.info.size, &blob.range), (300_000, &expected));
        let expected = usize::try_from(expected.start).unwrap()..usize::try_from(expected.end).unwrap();
        assert!(content(blob).await == bytes[expected.clone()], "{expected:?}");
    }
}

/// A range that starts beyond the end is `Invalid`.
pub async fn a_range_beyond_the_end_is_invalid(storage: Arc<dyn Storage>) {
    storage.put(&key("short"), Body::from("abc".to_owned())).await.unwrap();
    for range in [4..5, u64::MAX - 1..u64::MAX] {
        assert_eq!(storage.get(&key("short"), Some(range)).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

/// Delete removes a blob; of a missing one it succeeds.
pub async fn deletes_also_what_is_missing(storage: Arc<dyn Storage>) {
    for name in ["a/b", "a/c"] {
        storage.put(&key(name), Body::from("x".to_owned())).await.unwrap();
    }
    for name in ["a/b", "a/b", "missing", "missing/x", "a", "a/c/d"] {
        storage.delete(&key(name)).await.unwrap();
    }
    assert_eq!(storage.head(&key("a/b")).await.unwrap(), None);
    assert_eq!(keys(&*storage, "").await, ["a/c"]);
    storage.put(&key("a/b"), Body::from("again".to_owned())).await.unwrap();
    assert_eq!(read(&*storage, "a/b").await, &b"again"[..]);
}

/// List yields every blob whose key starts with the prefix, as text, and nothing else.
pub async fn lists_by_the_prefix_as_text(storage: Arc<dyn Storage>) {
    let all = ["docker/blobs/a", "docker/manifest/b", "docker2", "logs/10.log", "logs/11/x", "logs/1a/deep/er"];
    for name in all {
        storage.put(&key(name), Body::from(name.to_owned())).await.unwrap();
    }
    for prefix in ["", "d", "docker", "docker/", "docker/m", "logs/1", "logs/11", "logs/11/", "l/", "logs/10.log", "x"]
    {
        let expected: Vec<&str> = all.into_iter().filter(|name| name.starts_with(prefix)).collect();
        assert_eq!(keys(&*storage, prefix).await, expected, "{prefix:?}");
    }
    for prefix in ["/", "../", "logs/../", "logs//", "./logs"] {
        assert!(keys(&*storage, prefix).await.is_empty(), "{prefix:?}");
    }
    let infos: Vec<_> = storage.list("docker2").try_collect().await.unwrap();
    assert_eq!(infos, [storage.head(&key("docker2")).await.unwrap().unwrap()]);
}

/// Every valid key is kept as it is, however odd.
pub async fn takes_odd_keys(storage: Arc<dyn Storage>) {
    let mut odd = [
        "docker/manifest/sha256:0123",
        "a b/ c ",
        "...",
        ".hidden/.x",
        "-rf",
        "~",
        "%2e%2e/%2f",
        "a?b#c&d=e+f",
        "quote\"'`$(x)",
        "*",
        "ü/日本/🦀",
        "u\u{308}",
        "Case",
        "case",
        "trailing.",
    ]
    .map(str::to_owned)
    .to_vec();
    odd.extend(["x".repeat(200), ["y"; 100].join("/")]);
    for name in &odd {
        storage.put(&key(name), Body::from(name.clone())).await.unwrap();
    }
    odd.sort();
    assert_eq!(keys(&*storage, "").await, odd);
    for name in &odd {
        assert_eq!(read(&*storage, name).await, name.as_bytes());
        storage.delete(&key(name)).await.unwrap();
    }
    assert!(keys(&*storage, "").await.is_empty());
}

/// A key below another blob's is a `Conflict` that changes nothing, or a blob as any other.
pub async fn refuses_or_keeps_a_key_below_another(storage: Arc<dyn Storage>) {
    for (first, second) in [("a", "a/b"), ("c/d", "c")] {
        storage.put(&key(first), Body::from("first".to_owned())).await.unwrap();
        match storage.put(&key(second), Body::from("second".to_owned())).await {
            Ok(_) => assert_eq!(read(&*storage, second).await, &b"second"[..]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                assert_eq!(storage.head(&key(second)).await.unwrap(), None);
            }
        }
        assert_eq!(read(&*storage, first).await, &b"first"[..]);
    }
}

/// The `ETag` changes when the content does, and fits an HTTP header.
pub async fn the_etag_changes_with_the_content(storage: Arc<dyn Storage>) {
    let mut seen = std::collections::BTreeSet::new();
    for content in ["1", "2", "33"] {
        let etag = storage.put(&key("a"), Body::from(content.to_owned())).await.unwrap().etag;
        assert_eq!(storage.head(&key("a")).await.unwrap().unwrap().etag, etag);
        assert!(!etag.is_empty() && etag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'), "{etag:?}");
        assert!(seen.insert(etag), "two contents have one tag");
    }
}

/// A link is a redirect only where the capabilities say that there can be one.
pub async fn links_as_its_capabilities_say(storage: Arc<dyn Storage>) {
    storage.put(&key("a b/c.log"), Body::from("x".to_owned())).await.unwrap();
    let link = storage.link(&key("a b/c.log"), &link_options()).await.unwrap();
    match link {
        Link::Stream => assert_eq!(read(&*storage, "a b/c.log").await, &b"x"[..]),
        Link::Redirect(url) => {
            assert!(storage.capabilities().redirect, "a redirect from a storage that cannot redirect");
            assert!(matches!(url.scheme(), "http" | "https") && url.path().ends_with("/a%20b/c.log"), "{url}");
        }
    }
}

fn link_options() -> LinkOptions {
    LinkOptions {
        expires_in: Duration::from_mins(1),
        file_name: Some("c.log".into()),
        content_type: Some("text/plain".into()),
    }
}
