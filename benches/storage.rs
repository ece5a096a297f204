//! How fast artifacts go into a storage and come out of it, and how much memory that takes.
//!
//! A file goes into a local directory in turn with `cp` (and `sync` of the copy: a put is on the disk when it ends), and into
//! a bucket in turn with the AWS command line, which `CONDA_STORE_TEST_AWS` names, else with boto3 of `python3`. Then
//! [`LARGE`] bytes go up from a producer and come down again. Each measurement is a process of its own. The bucket is that of
//! a service in this process which keeps objects in files, or of the one at `CONDA_STORE_TEST_S3_URL`. Fails where a ratio
//! or the memory is beyond its limit.
//!
//!     CONDA_STORE_TEST_AWS=aws cargo bench --bench storage

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/s3.rs"]
mod s3;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use conda_store_core::{
    clock::SystemClock,
    storage::{Body, Storage, StorageKey},
};
use conda_store_storage::{LocalStorage, LocalStorageConfig};
use futures::{StreamExt, TryStreamExt, stream};

use self::s3::Service;

/// Bytes of the file whose transfer is timed.
const FILE: u64 = 512 << 20;

/// Bytes of the artifact whose transfer is weighed.
const LARGE: u64 = 5_000_000_000;

/// Megabytes of memory that may take.
const MEMORY: u64 = 100;

/// How much of the other program's throughput a put must reach.
const RATIO: f64 = 0.8;

const ROUNDS: usize = 5;

/// Bytes that a producer makes at a time.
const CHUNK: usize = 256 << 10;

/// The argument that makes this program a measured process.
const MEASURE: &str = "--measure";

/// What a measured process does.
const PUT_FILE: &str = "put-file";
const PUT_STREAM: &str = "put-stream";
const GET: &str = "get";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == MEASURE) {
        Some(at) => runtime.block_on(measure(&arguments[at + 1..])),
        None => runtime.block_on(compare()),
    }
}

/// What a measured process found.
#[derive(Clone, Copy, Debug)]
struct Measured {
    seconds: f64,
    /// The most memory that it had at a time, in megabytes.
    megabytes: u64,
}

/// Does what `arguments` say: a task, a place, a file.
async fn measure(arguments: &[String]) -> Result<()> {
    let [task, place, file] = arguments else { anyhow::bail!("a measured process takes a task, a place and a file") };
    let storage = open(place).await?;
    let key: StorageKey = "archive/large.tar.gz".parse()?;
    let begun = Instant::now();
    match task.as_str() {
        PUT_FILE => drop(storage.put(&key, Body::File(file.into())).await?),
        PUT_STREAM => {
            let info = storage.put(&key, Body::Stream(large())).await?;
            ensure!(info.size == LARGE, "{} bytes went up", info.size);
        }
        _ => {
            let mut parts = storage.get(&key, None).await?.stream;
            let mut bytes = 0;
            while let Some(part) = parts.try_next().await? {
                bytes += part.len() as u64;
            }
            ensure!(bytes == LARGE, "{bytes} bytes came down");
        }
    }
    println!("{} {}", begun.elapsed().as_secs_f64(), peak()?);
    Ok(())
}

/// The storage at `place`: a directory, or the address of a bucket.
async fn open(place: &str) -> Result<Arc<dyn Storage>> {
    if place.starts_with("http") {
        return Ok(Arc::new(s3::open(place).await?));
    }
    let config = LocalStorageConfig { storage_path: place.into(), storage_url: None };
    Ok(Arc::new(LocalStorage::open(config, Arc::new(SystemClock)).await?))
}

/// What a producer makes of [`LARGE`] bytes, a chunk at a time.
fn large() -> conda_store_core::storage::ByteStream {
    let chunks = stream::unfold(LARGE, |left| async move {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let fill = left.to_le_bytes()[3];
        (size > 0).then(|| (Ok(Bytes::from(vec![fill; size])), left - size as u64))
    });
    chunks.boxed()
}

/// The most memory that this process had at a time, in megabytes.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024 / 1_000_000)
}

/// Starts a measured process and waits for what it finds.
async fn measured(task: &str, place: &str, file: &Path) -> Result<Measured> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    let output = command.args([MEASURE, task, place]).arg(file).output().await?;
    ensure!(output.status.success(), "{task} at {place}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout)?;
    let (seconds, megabytes) = said.trim().split_once(' ').context("a measured process says two numbers")?;
    Ok(Measured { seconds: seconds.parse()?, megabytes: megabytes.parse()? })
}

async fn compare() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (file, storage) = (directory.path().join("file"), directory.path().join("storage"));
    write(&file)?;
    let local = storage.to_str().context("a path that is text")?;
    let copy = directory.path().join("copy");
    let (mut puts, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        puts.push(measured(PUT_FILE, local, &file).await?.seconds);
        others.push(timed(Command::new("sh").arg("-c").arg("cp \"$0\" \"$1\" && sync \"$1\"").arg(&file).arg(&copy))?);
    }
    let mut ratios = vec![("a local directory", compared("local put", puts, "cp and sync", others))];
    fs::remove_file(&copy)?;
    weigh(local).await?;
    fs::remove_dir_all(&storage)?;

    let service = Service::start(&directory.path().join("bucket")).await?;
    let (name, uploader) = uploader();
    let (mut puts, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        puts.push(measured(PUT_FILE, &service.place, &file).await?.seconds);
        let mut command = uploader(&service, &file);
        others.push(tokio::task::spawn_blocking(move || timed(&mut command)).await??);
    }
    ratios.push(("S3", compared("S3 put", puts, name, others)));
    weigh(&service.place).await?;
    for (place, ratio) in ratios {
        ensure!(ratio >= RATIO, "a put into {place} has {ratio:.2} of the other's throughput, less than {RATIO}");
    }
    Ok(())
}

/// Sends the large artifact up and down.
async fn weigh(place: &str) -> Result<()> {
    for task in [PUT_STREAM, GET] {
        let Measured { seconds, megabytes } = measured(task, place, Path::new("")).await?;
        let kind = if place.starts_with("http") { "S3" } else { "local" };
        println!("{kind} {task} of {LARGE} bytes: {seconds:.1} s, at most {megabytes} MB of memory");
        ensure!(megabytes <= MEMORY, "{megabytes} MB are more than {MEMORY}");
    }
    Ok(())
}

fn write(file: &Path) -> Result<()> {
    let mut file = fs::File::create(file)?;
    for index in 0..FILE >> 20 {
        let mebibyte: Vec<u8> = (0..1_u64 << 20).map(|at| (at ^ at >> 8 ^ index).to_le_bytes()[0]).collect();
        file.write_all(&mebibyte)?;
    }
    file.sync_all()?;
    Ok(())
}

fn timed(command: &mut Command) -> Result<f64> {
    let begun = Instant::now();
    let output = command.output()?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(seconds)
}

/// Prints both medians, and returns the throughput of the first as a part of that of the second.
fn compared(what: &str, mut puts: Vec<f64>, other: &str, mut others: Vec<f64>) -> f64 {
    puts.sort_unstable_by(f64::total_cmp);
    others.sort_unstable_by(f64::total_cmp);
    let (put, theirs) = (puts[puts.len() / 2], others[others.len() / 2]);
    println!("{FILE} bytes, {ROUNDS} rounds: {what} {put:.2} s, {other} {theirs:.2} s; ratio {:.2}", theirs / put);
    theirs / put
}

type Uploader = Box<dyn Fn(&Service, &Path) -> Command>;

/// The program that others use, with the start that it needs taken into account: ours starts a process too.
fn uploader() -> (&'static str, Uploader) {
    let prepared = |program: &Path, service: &Service| {
        let mut command = Command::new(program);
        command
            .env("AWS_ACCESS_KEY_ID", &service.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &service.secret_key)
            .env("AWS_DEFAULT_REGION", "us-east-1");
        command
    };
    if let Some(aws) = conda_store_core::testing::service("aws").map(PathBuf::from) {
        let upload = move |service: &Service, file: &Path| {
            let mut command = prepared(&aws, service);
            let target = format!("s3://{}/other", service.bucket);
            command.args(["--endpoint-url", &service.endpoint, "s3", "cp", "--quiet"]).arg(file).arg(target);
            command
        };
        return ("aws s3 cp", Box::new(upload));
    }
    let upload = move |service: &Service, file: &Path| {
        let script = "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1]).upload_file(sys.argv[2], \
                      sys.argv[3], 'other')";
        let mut command = prepared(Path::new("python3"), service);
        command.args(["-c", script, &service.endpoint]).arg(file).arg(&service.bucket);
        command
    };
    ("boto3", Box::new(upload))
}
