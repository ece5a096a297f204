//! What the channel's special packages are for, each checked in one environment that holds them all.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rattler_conda_types::PrefixRecord;
use rattler_digest::{Sha256, compute_file_digest};
use tokio_util::sync::CancellationToken;

use super::fixture::{Events, Workshop, channel, solve};
use crate::{
    ErrorKind,
    event::{BuildEvent, Reporter},
    install::{
        InstalledPipPackage, LockedPipPackage, PipRequest, PipSettings, ScriptSettings, fetch, install_pip, link,
        remove_prefix, run_link_scripts,
    },
};

const SPECS: &[&str] = &[
    "python=3.11",
    "pip",
    "flask",
    "pandas",
    "prefix-binary",
    "prefix-text",
    "prefix-shebang",
    "softlinks",
    "weird-paths",
    "directory-entry",
    "hello-py=2",
    "activation",
    "post-link",
    "no-paths-json",
    "both-formats",
    "only-bz2",
    "many-files",
    "large-file",
    "clobber-a",
    "clobber-b",
];

/// Checks one package in the environment at the path.
type Check = fn(&Path);

const CHECKS: &[(&str, Check)] = &[
    ("prefix-binary", |prefix| {
        let text = output(prefix, "prefix-binary", &[]);
        assert!(text.contains(prefix.to_str().unwrap()), "{text}");
        assert!(text.contains("hello from the prefix"), "{text}");
    }),
    ("prefix-text", |prefix| {
        let root = prefix.display();
        assert_eq!(output(prefix, "prefix-text", &[]), format!("root = {root}\ndata = {root}/share/prefix-text\n"));
        let config = fs::read_to_string(prefix.join("lib/pkgconfig/prefix-text.pc")).unwrap();
        assert!(config.starts_with(&format!("prefix={root}\n")), "{config}");
    }),
    ("prefix-shebang", |prefix| {
        let text = output(prefix, "prefix-shebang", &["a b", "c"]);
        assert_eq!(text, format!("{}\n['a b', 'c']\n", prefix.display()));
        // The kernel hands over "-E -s" as one argument, which Python does not take: only its text can be looked at.
        let script = fs::read_to_string(prefix.join("bin/prefix-shebang-flags")).unwrap();
        assert!(script.starts_with(&format!("#!{}/bin/python -E -s\n", prefix.display())), "{script}");
    }),
    ("softlinks", |prefix| {
        let target = |path: &str| prefix.join(path).read_link().unwrap();
        assert_eq!(target("lib/libdemo.so"), Path::new("libdemo.so.1"));
        assert_eq!(target("share/softlinks/dangling"), Path::new("nowhere"));
        assert_eq!(target("share/softlinks/link-to-dir"), Path::new("dir"));
        assert_eq!(fs::read_to_string(prefix.join("share/softlinks/up")).unwrap(), "not really a library\n");
    }),
    ("weird-paths", |prefix| {
        let names = fs::read_dir(prefix.join("share/weird")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<Vec<u8>> = names.map(|name| name.as_bytes().to_vec()).collect();
        names.sort();
        let long = "d".repeat(60);
        let mut expected = vec![
            "-dash",
            "Case.txt",
            "case.txt",
            &long,
            "empty",
            "latin1.txt",
            "quote'\".txt",
            "with space.txt",
            "ünïcödé-文件.txt",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
        assert_eq!(fs::read(prefix.join("share/weird/latin1.txt")).unwrap(), b"caf\xe9\n");
        assert_eq!(output(prefix, "weird-run", &[]), "ok\n");
    }),
    ("directory-entry", |prefix| {
        assert_eq!(fs::read_dir(prefix.join("share/directory-entry/empty")).unwrap().count(), 0);
    }),
    ("hello-py", |prefix| {
        assert_eq!(output(prefix, "hello-py", &[]), "hello 2.0\n");
        assert_eq!(output(prefix, "hello-sub", &[]), "sub\n");
        assert_eq!(output(prefix, "hello-script", &[]), "script 2.0\n");
        let location = fs::read_to_string(prefix.join("share/hello-py/where.txt")).unwrap();
        assert_eq!(location.trim_end(), prefix.to_str().unwrap());
    }),
    ("activation", |prefix| {
        let script = fs::read_to_string(prefix.join("etc/conda/activate.d/activation.sh")).unwrap();
        assert_eq!(script, "export ACTIVATION_DEMO=1\n");
        assert!(prefix.join("etc/conda/deactivate.d/activation.sh").try_exists().unwrap());
        assert!(prefix.join("etc/conda/env_vars.d/activation.json").try_exists().unwrap());
    }),
    ("post-link", |prefix| {
        let text = fs::read_to_string(prefix.join("var/post-link/linked.txt")).unwrap();
        assert_eq!(text, "post-link 1.0 0\n");
        assert!(!prefix.join(".messages.txt").try_exists().unwrap());
    }),
    ("no-paths-json", |prefix| {
        assert_eq!(output(prefix, "no-paths-json", &[]), format!("{}\n", prefix.display()));
    }),
    ("both-formats", |prefix| {
        assert_eq!(fs::read_to_string(prefix.join("share/both-formats.txt")).unwrap(), "the same in both\n");
    }),
    ("only-bz2", |prefix| assert_eq!(fs::read_to_string(prefix.join("share/only-bz2.txt")).unwrap(), "old\n")),
    ("many-files", |prefix| {
        let record = PrefixRecord::from_path(prefix.join("conda-meta/many-files-1.0-0.json")).unwrap();
        assert!(record.files.len() >= 20_000, "{}", record.files.len());
        assert!(record.files.iter().all(|file| prefix.join(file).is_file()));
    }),
    ("large-file", |prefix| {
        let hash = compute_file_digest::<Sha256>(prefix.join("share/large-file/data.bin")).unwrap();
        assert_eq!(hex::encode(hash), "8a94cb63d2b26ddccda9fa3b8eb7f982cc6e76596d22ebc0a883ef46bc46e90c");
    }),
    ("clobber-a", |prefix| {
        let shared = fs::read_to_string(prefix.join("share/clobber/shared.txt")).unwrap();
        let winner = shared.trim_end().strip_prefix("from ").unwrap();
        for name in ["clobber-a", "clobber-b"] {
            let record = PrefixRecord::from_path(prefix.join(format!("conda-meta/{name}-1.0-0.json"))).unwrap();
            assert_eq!(record.files.iter().any(|file| file.ends_with("shared.txt")), name == winner);
        }
    }),
    ("pandas", |prefix| {
        let code = "import pandas, numpy, flask, ssl, sqlite3, lzma; print(pandas.DataFrame({'a': [1, 2]}).a.sum())";
        assert_eq!(output(prefix, "python", &["-c", code]), "3\n");
    }),
];

fn output(prefix: &Path, command: &str, arguments: &[&str]) -> String {
    let output = Command::new(prefix.join("bin").join(command)).args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn scripts(run: bool) -> ScriptSettings {
    ScriptSettings { run, variables: BTreeMap::new(), time_limit: Some(Duration::from_mins(1)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_special_package_does_what_it_is_for() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = workshop.environment("environment", solve(&channel, SPECS));
    let records = workshop.install(&environment).await.unwrap();
    let Workshop { events, cancellation, .. } = &workshop;
    run_link_scripts(&environment.prefix, &records, &scripts(true), events, cancellation).await.unwrap();
    assert!(events.messages().contains(&"post-link: post-link was here".to_owned()), "{:?}", events.messages());
    assert!(events.messages().iter().any(|text| text.contains("both bring 'share/clobber/shared.txt'")));
    for (name, check) in CHECKS {
        eprintln!("checking {name}");
        check(&environment.prefix);
    }
    pip_installs_a_wheel(&workshop, &environment.prefix).await;
}

/// Without a network: the wheel is made here.
async fn pip_installs_a_wheel(workshop: &Workshop, prefix: &Path) {
    let wheels = workshop.directory.path().join("wheels");
    fs::create_dir(&wheels).unwrap();
    let wheel = make_wheel(prefix, &wheels);
    let Workshop { events, cancellation, .. } = workshop;
    let settings = PipSettings { time_limit: Some(Duration::from_mins(2)), ..PipSettings::default() };
    let lines = ["--no-index", "--find-links https://user:hunter2@localhost:1/", "demo-wheel==1.5"];
    let missing = PipRequest::Requirements(lines.map(str::to_owned).to_vec());
    let error = install_pip(prefix, &missing, &settings, events, cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(events.messages().iter().any(|line| line.contains("demo-wheel==1.5")), "{:?}", events.messages());
    assert!(!events.messages().iter().any(|line| line.contains("hunter2")), "{:?}", events.messages());

    let lines = ["--no-index".to_owned(), format!("--find-links {}", wheels.display()), "demo-wheel==1.5".to_owned()];
    let request = PipRequest::Requirements(lines.to_vec());
    let installed = install_pip(prefix, &request, &settings, events, cancellation).await.unwrap();
    let sha256 = hex::encode(compute_file_digest::<Sha256>(&wheel).unwrap());
    let url = url::Url::from_file_path(&wheel).unwrap();
    let expected = InstalledPipPackage {
        name: "demo-wheel".to_owned(),
        version: "1.5".to_owned(),
        url: Some(url.clone()),
        sha256: Some(sha256.clone()),
    };
    assert_eq!(installed, std::slice::from_ref(&expected));
    assert_eq!(output(prefix, "python", &["-c", "import demo_wheel; print(demo_wheel.ANSWER)"]), "42\n");

    output(prefix, "python", &["-m", "pip", "uninstall", "-y", "demo-wheel"]);
    let locked = |sha256: &str| {
        let package =
            LockedPipPackage { name: "demo-wheel".to_owned(), url: url.clone(), sha256: Some(sha256.to_owned()) };
        PipRequest::Locked(vec![package])
    };
    let wrong = locked(&"0".repeat(64));
    assert_eq!(
        install_pip(prefix, &wrong, &settings, events, cancellation).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let installed = install_pip(prefix, &locked(&sha256), &settings, events, cancellation).await.unwrap();
    assert_eq!(installed, [expected]);
    let smuggled = locked("00\n--index-url https://example.org");
    let error = install_pip(prefix, &smuggled, &settings, events, cancellation).await.unwrap_err();
    assert!(error.message().contains("is no sha256 of demo-wheel"), "{error}");
}

fn make_wheel(prefix: &Path, directory: &Path) -> PathBuf {
    let wheel = directory.join("demo_wheel-1.5-py3-none-any.whl");
    let code = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
        \x20   info = 'demo_wheel-1.5.dist-info/'\n\
        \x20   wheel.writestr('demo_wheel.py', 'ANSWER = 42\\n')\n\
        \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: demo-wheel\\nVersion: 1.5\\n')\n\
        \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20   wheel.writestr(info + 'RECORD', '')\n";
    output(prefix, "python", &["-c", code, wheel.to_str().unwrap()]);
    wheel
}

#[tokio::test]
async fn a_failing_script_names_package_and_exit_code() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = workshop.environment("environment", solve(&channel, &["post-link-fails", "post-link"]));
    let records = workshop.install(&environment).await.unwrap();
    let Workshop { events, cancellation, .. } = &workshop;
    run_link_scripts(&environment.prefix, &records, &scripts(false), events, cancellation).await.unwrap();
    assert!(!environment.prefix.join("var").try_exists().unwrap());
    assert_eq!(events.messages().iter().filter(|text| text.contains("link scripts are turned off")).count(), 2);
    let result = run_link_scripts(&environment.prefix, &records, &scripts(true), events, cancellation).await;
    let text = result.unwrap_err().to_string();
    assert!(text.contains("post-link-fails") && text.contains("exit status: 3"), "{text}");
    assert!(events.messages().contains(&"post-link-fails: broken on purpose".to_owned()));
}

#[tokio::test]
async fn an_environment_without_python_or_pip_says_what_to_add() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let request = PipRequest::Requirements(vec!["flask".to_owned()]);
    for (name, specs, expected) in
        [("no-python", &["softlinks"][..], "no python"), ("no-pip", &["python=3.11"], "no pip")]
    {
        let environment = workshop.environment(name, solve(&channel, specs));
        workshop.install(&environment).await.unwrap();
        let settings = PipSettings::default();
        let result =
            install_pip(&environment.prefix, &request, &settings, &workshop.events, &workshop.cancellation).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_python_package_without_python_says_what_to_add() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let mut records = solve(&channel, &["hello-py=1.0", "python=3.11"]);
    records.retain(|record| record.package_record.name.as_normalized() == "hello-py");
    let error = workshop.install(&workshop.environment("environment", records)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("add python to the specification"), "{error}");
}

/// Cancels once the first package is linked, and again when a script says something.
#[derive(Debug)]
struct Canceler {
    events: Events,
    cancellation: CancellationToken,
    when: fn(&BuildEvent) -> bool,
}

impl Reporter for Canceler {
    fn report(&self, event: BuildEvent) {
        if (self.when)(&event) {
            self.cancellation.cancel();
        }
        self.events.report(event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_link_stops_and_the_prefix_can_be_removed() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = workshop.environment("environment", solve(&channel, &["python=3.11", "many-files"]));
    let packages =
        fetch(&workshop.store, &environment.records, &workshop.events, &workshop.cancellation).await.unwrap();
    let when = |event: &BuildEvent| matches!(event, BuildEvent::Progress { .. });
    let cancellation = CancellationToken::new();
    let canceler = Canceler { events: Events::default(), cancellation: cancellation.clone(), when };
    let clock = crate::clock::SystemClock;
    let error = link(&environment, &packages, &clock, &canceler, &cancellation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let records = super::fixture::entries(&environment.prefix.join("conda-meta")).len();
    assert!(records < environment.records.len(), "{records} packages were linked before it stopped");
    remove_prefix(&environment.prefix).await.unwrap();
    assert!(!environment.prefix.try_exists().unwrap());
    workshop.install(&environment).await.unwrap();
}

#[tokio::test]
async fn a_canceled_script_ends_with_everything_that_it_started() {
    let workshop = Workshop::open().await;
    let mut command = tokio::process::Command::new("/bin/bash");
    command.args(["-c", "sleep 600 & echo $!; wait"]);
    let when = |event: &BuildEvent| matches!(event, BuildEvent::Message { .. });
    let canceler = Canceler { events: Events::default(), cancellation: workshop.cancellation.clone(), when };
    let run = super::super::process::run(
        "run post-link script",
        command,
        None,
        |line| line,
        &canceler,
        &workshop.cancellation,
    );
    let error = tokio::time::timeout(Duration::from_secs(2), run).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let process = Path::new("/proc").join(&canceler.events.messages()[0]).join("stat");
    let gone = async {
        // A dead process whose parent has not asked for it yet is a zombie.
        while fs::read_to_string(&process).is_ok_and(|state| !state.contains(") Z")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), gone).await.unwrap();
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_given_up() {
    let workshop = Workshop::open().await;
    let mut command = tokio::process::Command::new("/bin/sleep");
    command.arg("600");
    let limit = Some(Duration::from_millis(20));
    let Workshop { events, cancellation, .. } = &workshop;
    let run = super::super::process::run("run post-link script", command, limit, |line| line, events, cancellation);
    assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Timeout);
}
