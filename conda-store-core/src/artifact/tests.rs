//! Artifacts of environments of real packages.

mod activation;
mod digests;
mod formats;
mod sbom;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use futures::TryStreamExt;
use rattler_conda_types::RepoDataRecord;
use sha2::{Digest, Sha256};

use super::{Tree, archive, compress::Compression, export, installer};
use crate::{
    install::{
        Environment,
        tests::fixture::{Workshop, channel, solve},
    },
    testing,
};

const SCIENCE: [&str; 4] = ["python=3.11", "numpy", "pandas", "flask"];
const NO_PYTHON: [&str; 5] = ["prefix-binary", "prefix-text", "prefix-shebang", "softlinks", "weird-paths"];

/// A workshop with an environment of `specs` in its directory `name`.
async fn installed(workshop: &Workshop, name: &str, records: Vec<RepoDataRecord>) -> Environment {
    let environment = workshop.environment(name, records);
    fs::create_dir_all(environment.prefix.parent().unwrap()).unwrap();
    workshop.install(&environment).await.unwrap();
    environment
}

async fn archived(prefix: &Path) -> Vec<u8> {
    let pieces: Vec<_> =
        archive::stream(Tree::read(prefix).unwrap().into(), Compression::Gzip).try_collect().await.unwrap();
    pieces.concat()
}

fn unpack(archive: &[u8], target: &Path) {
    fs::create_dir_all(target).unwrap();
    let file = target.with_extension("tar.gz");
    fs::write(&file, archive).unwrap();
    run(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(target));
}

fn run(command: &mut Command) -> Output {
    let output = command.env_remove("CONDA_PREFIX").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn shell(program: &str, text: &str) -> String {
    String::from_utf8(run(Command::new(program).args(["-c", text])).stdout).unwrap()
}

/// What is at every path below `root`: content, link or nothing for a directory, and the mode.
fn contents(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if metadata.is_dir() {
                pending.push(path);
            } else if metadata.is_symlink() {
                found.insert(name, (0, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
            } else {
                found.insert(name, (metadata.permissions().mode() & 0o777, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// Files that hold `text`.
fn holding(root: &Path, text: &Path) -> Vec<PathBuf> {
    let text = text.as_os_str().as_encoded_bytes();
    let files = contents(root).into_iter();
    files.filter(|(_, (_, bytes))| memchr::memmem::find(bytes, text).is_some()).map(|(path, _)| path).collect()
}

fn long_name() -> String {
    format!("long/{}/env", "x".repeat(150))
}

#[tokio::test]
async fn an_archive_works_wherever_it_is_unpacked() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let specs: Vec<_> = SCIENCE.into_iter().chain(NO_PYTHON).chain(["hello-py", "activation"]).collect();
    let environment = installed(&workshop, "somewhere/env", solve(&channel, &specs)).await;
    let archive = archived(&environment.prefix).await;
    let original = fs::canonicalize(&environment.prefix).unwrap();
    fs::rename(&original, workshop.directory.path().join("gone")).unwrap();
    for name in ["e".to_owned(), long_name()] {
        let target = workshop.directory.path().join(&name);
        unpack(&archive, &target);
        assert_eq!(holding(&target, &original), Vec::<PathBuf>::new());
        let text = format!(
            "set -e; source {0}/bin/activate; python -c 'import numpy, pandas, flask; print(numpy.ones(2).sum())'; \
             flask --version >/dev/null; hello-py >/dev/null 2>&1 || hello >/dev/null; \
             test \"$CONDA_PREFIX\" = {0}; source {0}/bin/deactivate; test -z \"${{CONDA_PREFIX-}}\"; \
             case :$PATH: in *:{0}/bin:*) exit 3;; esac",
            target.display()
        );
        assert_eq!(shell("bash", &text).lines().next(), Some("2.0"));
        let text = format!(
            "echo \"$PATH\"; . {0}/bin/activate; command -v python; . {0}/bin/deactivate; echo \"$PATH\"",
            target.display()
        );
        let shown = shell("sh", &text);
        let [before, python, after] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert_eq!((python, after), (target.join("bin/python").to_str().unwrap(), before));

        run(&mut Command::new(target.join("bin/conda-unpack")));
        let unpacked = contents(&target);
        run(&mut Command::new(target.join("bin/conda-unpack")));
        assert!(contents(&target) == unpacked, "conda-unpack changes something when it is done again");
        run(Command::new(target.join("bin/python")).args(["-c", "import sysconfig, ssl, flask"]));
        run(Command::new("bash")
            .arg("-c")
            .arg(format!("source {0}/bin/activate && flask --version", target.display())));
    }
    // A first line has room for the short path: commands run without activation.
    run(Command::new(workshop.directory.path().join("e/bin/flask")).arg("--version"));
}

#[tokio::test]
async fn an_unpacked_environment_is_what_linking_makes_there() {
    let Some(channel) = channel() else { return };
    for specs in [&NO_PYTHON[..], &["python=3.11", "flask", "hello-py"]] {
        let workshop = Workshop::open().await;
        let records = solve(&channel, specs);
        let first = installed(&workshop, "first", records.clone()).await;
        let archive = archived(&first.prefix).await;
        let place = installed(&workshop, "another/place", records).await.prefix;
        let linked = contents(&place);
        fs::remove_dir_all(&place).unwrap();
        unpack(&archive, &place);
        run(&mut Command::new(place.join("bin/conda-unpack")));
        let mut unpacked = contents(&place);
        for script in ["activate", "activate.fish", "conda-unpack", "deactivate"] {
            assert!(unpacked.remove(&Path::new("bin").join(script)).is_some());
        }
        let names = |contents: &BTreeMap<PathBuf, _>| contents.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&unpacked), names(&linked));
        for (path, content) in linked {
            if !path.starts_with("conda-meta") {
                assert!(unpacked[&path] == content, "{} differs", path.display());
            }
        }
    }
}

#[tokio::test]
async fn compiled_python_files_stay_valid() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let environment = installed(&workshop, "env", solve(&channel, &["python=3.11"])).await;
    let target = workshop.directory.path().join("unpacked");
    unpack(&archived(&environment.prefix).await, &target);
    let compiled: Vec<_> =
        contents(&target).into_keys().filter(|path| path.extension() == Some("pyc".as_ref())).collect();
    for path in &compiled {
        let source = target.join(super::tree::source(path).unwrap());
        let header = fs::read(target.join(path)).unwrap();
        if header[4..8] == [0; 4] && source.try_exists().unwrap() {
            let time = u32::from_le_bytes(header[8..12].try_into().unwrap());
            assert_eq!(fs::metadata(&source).unwrap().mtime(), i64::from(time), "{}", path.display());
        }
    }
}

/// What is in the archive that conda-pack makes of the same directory.
#[tokio::test]
async fn conda_pack_makes_the_same() {
    let Some(program) = testing::service("conda_pack") else { return };
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let specs: Vec<_> = SCIENCE.into_iter().chain(NO_PYTHON).chain(["hello-py", "activation"]).collect();
    let environment = installed(&workshop, "env", solve(&channel, &specs)).await;
    let (ours, theirs) = (workshop.directory.path().join("ours"), workshop.directory.path().join("theirs"));
    unpack(&archived(&environment.prefix).await, &ours);
    let archive = workshop.directory.path().join("theirs.tar.gz");
    run(Command::new(program).arg("--prefix").arg(&environment.prefix).arg("--output").arg(&archive));
    unpack(&fs::read(archive).unwrap(), &theirs);
    let (ours, mut theirs) = (contents(&ours), contents(&theirs));
    theirs.remove(Path::new("bin/conda_unpack_progress.py"));
    let names = |contents: &BTreeMap<PathBuf, _>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    // `env` takes no arguments for a program on Linux, so ours keeps the interpreter of one that has them.
    let own = ["bin/prefix-shebang-flags", "bin/activate", "bin/activate.fish", "bin/conda-unpack", "bin/deactivate"]
        .map(Path::new);
    for (path, (mode, bytes)) in &ours {
        let (their_mode, their_bytes) = &theirs[path];
        if own.contains(&path.as_path()) || path.starts_with("conda-meta") {
            continue;
        }
        assert!(bytes == their_bytes, "{} differs", path.display());
        assert_eq!(mode, their_mode, "{}", path.display());
    }
}

#[tokio::test]
async fn exports_what_conda_prints() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let mut environment = workshop.environment("env", solve(&channel, &["prefix-text", "python=3.11"]));
    environment.variables.insert("GREETING".into(), "hello: you".into());
    workshop.install(&environment).await.unwrap();
    let metadata = environment.prefix.join("lib/python3.11/site-packages/Some_Tool-1.2.dist-info/METADATA");
    fs::create_dir_all(metadata.parent().unwrap()).unwrap();
    fs::write(metadata, "Metadata-Version: 2.1\nName: Some_Tool\nVersion: 1.2\n\nName: none\n").unwrap();
    let tree = Tree::read(&environment.prefix).unwrap();
    let text = export::export(&tree, &"lab".parse().unwrap(), "https://conda.anaconda.org").unwrap();
    let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let keys: Vec<_> =
        text.lines().filter(|line| !line.starts_with([' ', '-'])).map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["name", "channels", "dependencies", "variables"]);
    let dependencies = read["dependencies"].as_array().unwrap();
    assert!(dependencies.iter().any(|one| one.as_str().is_some_and(|one| one.starts_with("python=3.11.2="))), "{text}");
    assert_eq!(dependencies.last().unwrap(), &serde_json::json!({"pip": ["some-tool==1.2"]}));
    assert_eq!(read["variables"], serde_json::json!({"GREETING": "hello: you"}));
    assert!(read["channels"][0].as_str().unwrap().starts_with("file:///"), "{text}");
}

#[tokio::test]
async fn an_installer_installs_and_refuses() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let root = workshop.directory.path();
    let specs: Vec<_> = SCIENCE.into_iter().chain(NO_PYTHON).chain(["hello-py"]).collect();
    let environment = installed(&workshop, "built", solve(&channel, &specs)).await;
    let pieces: Vec<_> =
        installer::stream(Tree::read(&environment.prefix).unwrap().into()).try_collect().await.unwrap();
    let original = pieces.concat();
    fs::rename(&environment.prefix, root.join("gone")).unwrap();
    let file = root.join("tool.sh");
    fs::write(&file, &original).unwrap();

    // With a blank, first lines cannot name the interpreter.
    for name in ["i".to_owned(), long_name(), "with blank & more".to_owned()] {
        let target = root.join(&name);
        run(Command::new("sh").arg(&file).args(["-b", "-p"]).arg(&target));
        assert_eq!(holding(&target, &environment.prefix), Vec::<PathBuf>::new());
        run(Command::new(target.join("bin/python")).args(["-c", "import numpy, pandas, flask"]));
        let text = format!("source '{}/bin/activate' && flask --version && hello-py", target.display());
        run(Command::new("bash").arg("-c").arg(text));
        assert_eq!(Tree::read(&target).unwrap().records().len(), environment.records.len());
    }
    run(Command::new(root.join("i/bin/flask")).arg("--version"));

    let refusal = |file: &Path, arguments: &[&str]| {
        let output = Command::new("sh").arg(file).args(arguments).env("HOME", root).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let taken = root.join("i").to_str().unwrap().to_owned();
    assert!(refusal(&file, &["-b", "-p", &taken]).contains("is not empty"));
    assert!(refusal(&file, &["-b", "-x"]).contains("usage:"));
    assert!(refusal(&file, &["-b", "-p", &format!("/{}", "x/".repeat(150))]).contains("longer than 255 bytes"));
    run(Command::new("sh").arg(&file).args(["-b", "-f", "-p", &taken]));
    // Without -p beside the home directory, and without a terminal without a question.
    run(Command::new("sh").arg(&file).env("HOME", root));
    assert!(root.join("tool/bin/python").try_exists().unwrap());
    let help = run(Command::new("sh").arg(&file).arg("-h"));
    assert!(String::from_utf8(help.stdout).unwrap().contains("-p PREFIX"));

    let mut damaged = original.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, &damaged).unwrap();
    assert!(refusal(&file, &["-b", "-p", "elsewhere"]).contains("is damaged"));
    fs::write(&file, &original[..original.len() - 10]).unwrap();
    assert!(refusal(&file, &["-b", "-p", "elsewhere"]).contains("is damaged"));
}
