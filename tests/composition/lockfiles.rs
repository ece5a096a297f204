//! Lockfiles of builds, and who takes them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use conda_store_core::{
    lockfile::Lockfile,
    model::{Build, BuildStatus},
    settings::Settings,
    testing,
};
use rattler_conda_types::{ExplicitEnvironmentSpec, Subdir};

use crate::{Service, settings, specification};

/// What stands in for conda.
const CONDA: &str = include_str!("conda.py");

async fn lockfile(service: &Service, build: &Build) -> Lockfile {
    assert_eq!((build.status, build.status_info.as_deref()), (BuildStatus::Completed, None));
    service.store.lockfile(build).await.unwrap().unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

/// A wheel of a package that nobody else has.
fn wheel(directory: &Path) -> PathBuf {
    let wheel = directory.join("demo_wheel-1.5-py3-none-any.whl");
    let code = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
        \x20   info = 'demo_wheel-1.5.dist-info/'\n\
        \x20   wheel.writestr('demo_wheel.py', 'ANSWER = 42\\n')\n\
        \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: demo-wheel\\nVersion: 1.5\\n')\n\
        \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20   wheel.writestr(info + 'RECORD', '')\n";
    run(Command::new("python3").args(["-c", code]).arg(&wheel));
    wheel
}

/// conda-lock, and a program beside it that it takes for conda.
fn conda_lock(program: &str, directory: &Path) -> (PathBuf, PathBuf) {
    let program = PathBuf::from(program);
    let python = program.with_file_name("python");
    let conda = directory.join("conda");
    fs::write(&conda, format!("#!{}\n{CONDA}", python.display())).unwrap();
    fs::set_permissions(&conda, fs::Permissions::from_mode(0o755)).unwrap();
    (program, conda)
}

#[tokio::test(flavor = "multi_thread")]
async fn conda_lock_installs_what_a_build_locked() {
    let Some(channel) = testing::service("channel") else { return };
    let Some(program) = testing::service("conda_lock") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let service = Service::start(|parts| parts).await;
    let directory = service.directory.path();
    let wheel = wheel(directory);
    let packages =
        format!("python=3.11, pip, click, prefix-text, {{pip: ['demo-wheel @ file://{}']}}", wheel.display());
    let build = service.build(&specification(&channel, &packages)).await;
    let lockfile = lockfile(&service, &build).await;
    let (program, conda) = conda_lock(&program, directory);

    let prefix = directory.join("installed");
    let file = directory.join("conda-lock.yml");
    fs::write(&file, lockfile.to_text()).unwrap();
    run(Command::new(&program).arg("install").arg("--conda").arg(&conda).arg("--prefix").arg(&prefix).arg(&file));
    let answer =
        run(Command::new(prefix.join("bin/python")).args(["-c", "import click, demo_wheel; print(demo_wheel.ANSWER)"]));
    assert_eq!(answer, "42\n");
    let names = |prefix: &Path| {
        let files = fs::read_dir(prefix.join("conda-meta")).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<_> = files.filter(|name| name.to_string_lossy().ends_with(".json")).collect();
        names.sort();
        names
    };
    assert_eq!(names(&prefix), names(&service.store.layout().build_path(&build).unwrap()));

    // What we make of it on request is what conda-lock makes of it.
    let rendered = directory.join("conda-linux-64.lock");
    run(Command::new(&program).args(["render", "--kind", "explicit"]).arg(&file).current_dir(directory));
    let lines = |text: &str| {
        let mut lines: Vec<_> = text.lines().filter(|line| line.contains("://")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let explicit = lockfile.to_explicit(None).unwrap();
    assert_eq!(lines(&explicit), lines(&fs::read_to_string(rendered).unwrap()));
    let read: ExplicitEnvironmentSpec = explicit.parse().unwrap();
    assert_eq!(read.platform, Subdir::current());
    assert!(read.packages.iter().all(|package| package.package_archive_hash().unwrap().is_some()));

    let error = lockfile.to_pixi().unwrap_err();
    assert!(error.message().starts_with("the lockfile cannot be one of pixi's: "), "{error}");
    let channel = format!("file://{}", channel.display());
    let elsewhere = lockfile.to_text().replace(&channel, "https://conda.example.org/main");
    let elsewhere = Lockfile::from_json(&serde_json::from_str(&elsewhere).unwrap()).unwrap();
    let pixi = directory.join("pixi.lock");
    fs::write(&pixi, elsewhere.to_pixi().unwrap()).unwrap();
    let code = "import sys, rattler\n\
        environment = rattler.LockFile.from_path(sys.argv[1]).default_environment()\n\
        platform, = environment.platforms()\n\
        print(*sorted(package.name for package in environment.packages(platform)))\n";
    let python = program.with_file_name("python");
    let found = run(Command::new(python).args(["-c", code]).arg(&pixi));
    let found: Vec<_> = found.split_whitespace().collect();
    assert_eq!(found.len(), names(&prefix).len() + 1);
    assert!(found.contains(&"demo-wheel") && found.contains(&"click"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockfile_is_for_all_platforms_that_are_to_be_locked() {
    let Some(channel) = testing::service("channel") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let platforms = vec![Subdir::Linux64, Subdir::OsxArm64];
    let platforms = Settings { conda_solve_platforms: platforms.clone(), ..settings() };
    let service = Service::start(|parts| parts.settings(platforms)).await;
    let build = service.build(&specification(&channel, "tzdata")).await;
    let lockfile = lockfile(&service, &build).await;
    for platform in ["linux-64", "osx-arm64"] {
        let explicit = lockfile.to_explicit(Some(platform)).unwrap();
        assert!(explicit.contains(&format!("# platform: {platform}\n@EXPLICIT\n")), "{explicit}");
        assert!(explicit.contains("/noarch/tzdata-"), "{explicit}");
    }
    let error = lockfile.to_explicit(Some("win-64")).unwrap_err();
    assert_eq!(error.message(), "the lockfile is not for win-64; it is for linux-64, osx-arm64");

    let Some(program) = testing::service("conda_lock") else { return };
    let directory = service.directory.path();
    let (program, _) = conda_lock(&program, directory);
    fs::write(directory.join("conda-lock.yml"), lockfile.to_text()).unwrap();
    run(Command::new(program).args(["render", "--kind", "explicit", "conda-lock.yml"]).current_dir(directory));
    for platform in ["linux-64", "osx-arm64"] {
        assert!(directory.join(format!("conda-{platform}.lock")).is_file(), "{platform}");
    }
}
