//! The environment variables that activation of an unpacked environment sets.

use super::*;

#[tokio::test]
async fn activation_sets_the_variables_that_conda_would() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let mut environment = workshop.environment("built", solve(&channel, &["activation"]));
    let place = |path: &str| environment.prefix.join(path).to_str().unwrap().to_owned();
    let variables = [
        ("GREETING", "it's $HOME; `date` \\ \"you\"\nand you".to_owned()),
        ("DATA", format!("{}:/srv:{}", place("share/data"), place("x"))),
        ("KNOWN", "from the specification".into()),
        ("LEFT_OUT", "***unset***".into()),
        ("no-name", "x".into()),
    ];
    environment.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    workshop.install(&environment).await.unwrap();
    let packages = environment.prefix.join("etc/conda/env_vars.d");
    fs::create_dir_all(&packages).unwrap();
    fs::write(packages.join("zz.json"), r#"{"OF_A_PACKAGE": "1", "KNOWN": "from a package"}"#).unwrap();
    let target = workshop.directory.path().join("unpacked at another place");
    unpack(&archived(&environment.prefix).await, &target);

    let shown = |shell: &str, between: &str| {
        let text = format!(
            "KNOWN=before; export KNOWN; . '{0}/bin/activate'; {between} env -0; . '{0}/bin/deactivate'; printf '\\0END\\0'; env -0",
            target.display()
        );
        let output = run(Command::new(shell).args(["-c", &text]).env_remove("GREETING"));
        let output = String::from_utf8(output.stdout).unwrap();
        let (active, after) = output.split_once("\0END\0").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let read = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        (read(&active), read(&after))
    };
    for (shell, between) in [("bash", "set -u;"), ("sh", ""), ("bash", "")] {
        let (active, after) = shown(shell, between);
        assert_eq!(active["GREETING"], "it's $HOME; `date` \\ \"you\"\nand you");
        assert_eq!(active["DATA"], format!("{0}/share/data:/srv:{0}/x", target.display()));
        assert_eq!(active["KNOWN"], "from the specification");
        assert_eq!(active["OF_A_PACKAGE"], "1");
        assert!(!active.contains_key("LEFT_OUT") && !active.contains_key("no-name"));
        assert_eq!(after["KNOWN"], "before");
        for name in ["GREETING", "DATA", "OF_A_PACKAGE", "CONDA_PREFIX"] {
            assert!(!after.contains_key(name), "{shell}: {name} is left behind");
        }
        assert!(!after.keys().any(|name| name.starts_with("_CONDA_STORE")), "{after:?}");
    }
}
