//! The configuration as an administrator meets it: every key, and every way to get one wrong.

use std::fs;

use secrecy::ExposeSecret;

use super::*;

/// Every documented key, a value that it takes, and a value of a wrong type with what is said about it.
const KEYS: &[(&str, &str, &str, &str, &str)] = &[
    ("CondaStore", "storage_class", "S3Storage", "Floppy", "takes LocalStorage, S3Storage, OpendalStorage"),
    ("CondaStore", "store_directory", "/srv/conda-store", "[]", "takes a path"),
    ("CondaStore", "build_directory", "'{store_directory}/{namespace}'", "1", "takes text"),
    ("CondaStore", "environment_directory", "'{store_directory}/{name}'", "[]", "takes text"),
    ("CondaStore", "build_key_version", "3", "4", "takes a version from 1 to 3"),
    ("CondaStore", "win_extended_length_prefix", "true", "maybe", "takes true or false"),
    ("CondaStore", "validate_specification", "built-in", "my.module", "takes built-in"),
    ("CondaStore", "validate_action", "built-in", "my.module", "takes built-in"),
    ("CondaStore", "post_update_environment_build_hook", "none", "my.module", "takes none"),
    ("CondaStore", "conda_command", "/opt/conda/bin/mamba", "{}", "takes text"),
    ("CondaStore", "conda_channel_alias", "https://conda.example.org", "nowhere", "takes a URL"),
    ("CondaStore", "conda_channel_mirrors", "{'https://a.org/x': ['file:///srv/x']}", "[]", "takes a map"),
    ("CondaStore", "conda_platforms", "[linux-64, noarch]", "linux-64", "takes a list"),
    ("CondaStore", "conda_solve_platforms", "[linux-64, osx-arm64]", "[beos]", "beos"),
    ("CondaStore", "conda_default_channels", "[main]", "main", "takes a list"),
    ("CondaStore", "conda_allowed_channels", "[]", "5", "takes a list"),
    ("CondaStore", "conda_indexed_channels", "[main]", "5", "takes a list"),
    ("CondaStore", "conda_default_packages", "[python]", "python", "takes a list"),
    ("CondaStore", "conda_required_packages", "[python]", "python", "takes a list"),
    ("CondaStore", "conda_included_packages", "[python]", "[[python]]", "takes text"),
    ("CondaStore", "pypi_default_packages", "[flask]", "flask", "takes a list"),
    ("CondaStore", "pypi_required_packages", "[flask]", "flask", "takes a list"),
    ("CondaStore", "pypi_included_packages", "[flask]", "flask", "takes a list"),
    ("CondaStore", "conda_max_solve_time", "600", "-1", "takes a whole number from 0"),
    ("CondaStore", "conda_flags", "--no-channel-priority", "[]", "takes text"),
    ("CondaStore", "run_link_scripts", "false", "7", "takes true or false"),
    ("CondaStore", "max_concurrent_builds", "2", "0", "whole number from 1"),
    ("CondaStore", "max_kept_builds", "10", "0", "whole number from 1"),
    ("CondaStore", "max_kept_days", "90", "0", "whole number from 1"),
    ("CondaStore", "database_url", "postgresql://conda@db/conda-store", "5", "takes text"),
    ("CondaStore", "upgrade_db", "false", "never", "takes true or false"),
    ("CondaStore", "redis_url", "redis://localhost", "5", "takes text"),
    ("CondaStore", "celery_broker_url", "amqp://localhost", "[]", "takes text"),
    ("CondaStore", "queue_url", "memory://", "[]", "takes text"),
    ("CondaStore", "celery_results_backend", "redis://localhost", "[]", "takes text"),
    ("CondaStore", "build_artifacts", "[LOCKFILE, YAML, CONDA_PACK]", "[FLOPPY]", "takes DIRECTORY, LOCKFILE"),
    ("CondaStore", "archive_format", "tar.zst", "zip", "takes tar.gz, tar.zst"),
    ("CondaStore", "build_artifacts_kept_on_deletion", "[LOGS]", "LOGS", "takes a list"),
    ("CondaStore", "default_namespace", "global", "a/b", "contains '/'"),
    ("CondaStore", "filesystem_namespace", "files", "''", "is empty"),
    ("CondaStore", "default_uid", "1000", "root", "takes a whole number from 0 to 4294967295"),
    ("CondaStore", "default_gid", "100", "-1", "takes a whole number from 0 to 4294967295"),
    ("CondaStore", "default_permissions", "'775'", "rwxrwxr-x", "takes three or four octal digits"),
    ("CondaStore", "storage_threshold", "5368709120", "5 GiB", "takes a whole number from 0"),
    ("CondaStore", "default_docker_base_image", "scratch", "[]", "takes text"),
    ("CondaStore", "serialize_builds", "false", "2", "takes true or false"),
    ("CondaStore", "lock_backend", "rattler", "conda-lock", "takes rattler"),
    ("CondaStore", "container_registry_class", "ContainerRegistry", "Mine", "takes ContainerRegistry"),
    ("LocalStorage", "storage_path", "/srv/storage", "{}", "takes a path"),
    ("LocalStorage", "storage_url", "https://files.example.org/", "here", "takes a URL"),
    ("S3Storage", "internal_endpoint", "minio:9000", "9000", "takes text"),
    ("S3Storage", "external_endpoint", "s3.example.org", "[]", "takes text"),
    ("S3Storage", "internal_secure", "false", "http", "takes true or false"),
    ("S3Storage", "external_secure", "false", "http", "takes true or false"),
    ("S3Storage", "access_key", "AKIA", "5", "takes text"),
    ("S3Storage", "secret_key", "hush", "5", "takes text"),
    ("S3Storage", "region", "eu-central-1", "[]", "takes text"),
    ("S3Storage", "bucket_name", "conda", "[]", "takes text"),
    ("S3Storage", "credentials", "iam", "luck", "takes static, environment, iam"),
    ("S3Storage", "credentials_args", "[a]", "a", "takes a list"),
    ("S3Storage", "credentials_kwargs", "{a: b}", "a", "takes a map"),
    ("OpendalStorage", "scheme", "gcs", "[]", "takes text"),
    ("OpendalStorage", "options", "{bucket: b}", "b", "takes a map"),
    ("AuthenticationBackend", "secret", "0123456789abcdef", "5", "takes text"),
    ("AuthenticationBackend", "jwt_algorithm", "HS512", "none", "takes HS256, HS384, HS512"),
    ("AuthenticationBackend", "predefined_tokens", "{t: {role_bindings: {'a/*': [admin]}}}", "[t]", "takes a map"),
    ("AuthorizationBackend", "role_mappings", "{editor: ['environment::read']}", "{guest: []}", "takes viewer"),
    ("RBACAuthorizationBackend", "unauthenticated_role_bindings", "{}", "{x: [viewer]}", "NAMESPACE/NAME"),
    ("AuthorizationBackend", "authenticated_role_bindings", "{'*/*': [developer]}", "{'*/*': [god]}", "takes viewer"),
    ("AuthorizationBackend", "role_mappings_version", "1", "3", "takes a version from 1 to 2"),
    ("Authentication", "cookie_name", "tea", "[]", "takes text"),
    ("Authentication", "cookie_domain", "example.org", "[]", "takes text"),
    ("Authentication", "authentication_backend", "AuthenticationBackend", "Mine", "takes AuthenticationBackend"),
    ("Authentication", "authorization_backend", "RBACAuthorizationBackend", "Mine", "RBACAuthorizationBackend"),
    ("Authentication", "login_html", "<form></form>", "[]", "takes text"),
    ("DummyAuthentication", "password", "''", "1234", "takes text"),
    ("GenericOAuthAuthentication", "access_token_url", "https://a.org/t", "t", "takes a URL"),
    ("GenericOAuthAuthentication", "authorize_url", "https://a.org/a", "a", "takes a URL"),
    ("GenericOAuthAuthentication", "client_id", "id", "[]", "takes text"),
    ("GenericOAuthAuthentication", "client_secret", "hush", "[]", "takes text"),
    ("GenericOAuthAuthentication", "access_scope", "openid", "[]", "takes text"),
    ("GenericOAuthAuthentication", "user_data_url", "https://a.org/u", "u", "takes a URL"),
    ("GenericOAuthAuthentication", "user_data_key", "login", "[]", "takes text"),
    ("GenericOAuthAuthentication", "oauth_callback_url", "https://b.org/cb", "cb", "takes a URL"),
    ("GenericOAuthAuthentication", "tls_verify", "false", "5", "takes true or false"),
    ("GithubOAuthAuthentication", "github_url", "https://github.example.org", "github", "takes a URL"),
    ("GithubOAuthAuthentication", "github_api", "https://api.example.org", "api", "takes a URL"),
    ("GithubOAuthAuthentication", "client_id", "id", "[]", "takes text"),
    ("JupyterHubOAuthAuthentication", "jupyterhub_url", "https://hub.example.org", "hub", "takes a URL"),
    ("JupyterHubOAuthAuthentication", "cookie_name", "tea", "[]", "takes text"),
    ("CondaStoreServer", "log_level", "DEBUG", "loud", "takes DEBUG, INFO"),
    ("CondaStoreServer", "enable_ui", "false", "5", "takes true or false"),
    ("CondaStoreServer", "enable_api", "false", "5", "takes true or false"),
    ("CondaStoreServer", "enable_registry", "false", "5", "takes true or false"),
    ("CondaStoreServer", "enable_metrics", "false", "5", "takes true or false"),
    ("CondaStoreServer", "address", "'::1'", "localhost", "IP address"),
    ("CondaStoreServer", "port", "5000", "70000", "takes a whole number from 0 to 65535"),
    ("CondaStoreServer", "registry_external_url", "localhost:8080", "[]", "takes text"),
    ("CondaStoreServer", "url_prefix", "/conda-store", "[]", "takes text"),
    ("CondaStoreServer", "authentication_class", "GithubOAuthAuthentication", "Mine", "takes DummyAuthentication"),
    ("CondaStoreServer", "secret_key", "hush", "[]", "takes text"),
    ("CondaStoreServer", "max_page_size", "50", "0", "takes a whole number from 1"),
    ("CondaStoreServer", "behind_proxy", "true", "5", "takes true or false"),
    ("CondaStoreServer", "template", "/srv/templates", "{}", "takes a path"),
    ("CondaStoreServer", "template_vars", "{title: Ours}", "title", "takes a map"),
    ("CondaStoreServer", "cors_allow_origins", "['https://a.org']", "https://a.org", "takes a list"),
    ("CondaStoreServer", "cors_allow_origin_regex", "https://.*", "[]", "takes text"),
    ("CondaStoreServer", "additional_routes", "none", "mine", "takes none"),
    ("CondaStoreServer", "standalone", "true", "5", "takes true or false"),
    ("CondaStoreWorker", "log_level", "info,conda_store_core=debug", "loud", "takes DEBUG, INFO"),
    ("CondaStoreWorker", "watch_paths", "[/srv/environments]", "/srv", "takes a list"),
    ("CondaStoreWorker", "concurrency", "4", "0", "takes a whole number from 1"),
    ("CondaStoreWorker", "address", "127.0.0.1", "localhost", "IP address"),
    ("CondaStoreWorker", "port", "9090", "70000", "takes a whole number from 0 to 65535"),
    ("ContainerRegistry", "container_registries", "{'https://r.org': {token_file: /t}}", "[r]", "takes a map"),
    ("ContainerRegistry", "container_registry_image_name", "'{name}'", "[]", "takes text"),
    ("ContainerRegistry", "container_registry_image_tag", "'{build_key}'", "[]", "takes text"),
];

fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("conda-store.yaml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn load(text: &str) -> Result<Configuration, Problems> {
    let (_directory, path) = file(text);
    Configuration::load(Some(&path), [])
}

/// The problems of `text`, without the directory of the file.
fn problems(text: &str) -> Vec<String> {
    let (_directory, path) = file(text);
    let directory = path.parent().unwrap().display().to_string() + "/";
    let problems = Configuration::load(Some(&path), []).unwrap_err();
    problems.0.iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
}

#[test]
fn every_documented_key_is_taken() {
    for (section, key, value, _, _) in KEYS {
        let text = format!("{section}:\n  {key}: {value}\n");
        let loaded = load(&text);
        assert!(loaded.is_ok(), "{text}{}", loaded.unwrap_err());
    }
}

#[test]
fn every_documented_key_refuses_a_wrong_value_with_file_line_and_reason() {
    for (section, key, _, wrong, reason) in KEYS {
        let text = format!("# a comment\n{section}:\n\n  {key}: {wrong}\n");
        let problems = problems(&text);
        assert_eq!(problems.len(), 1, "{text}{problems:?}");
        // Another name of the section stands for the first.
        let section = section.strip_prefix("RBAC").unwrap_or(section);
        assert!(problems[0].starts_with(&format!("conda-store.yaml:4: {section}.{key}")), "{problems:?}");
        assert!(problems[0].contains(reason), "{problems:?}");
    }
}

#[test]
fn every_key_that_is_taken_is_documented() {
    for schema in schema::schemas() {
        for key in schema.keys() {
            let documented = KEYS.iter().any(|(section, name, ..)| {
                let section = section.strip_prefix("RBAC").unwrap_or(section);
                (section, *name) == (schema.name, key)
            });
            assert!(documented, "{}.{key}", schema.name);
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "CondaStore:\n  databse_url: x\n  upgrade_db: 3\nCondaStor:\n  a: 1\nS3Storage:\n  zzz: 1\n";
    let problems = problems(text);
    assert_eq!(
        problems[..3],
        [
            "conda-store.yaml:2: CondaStore.databse_url: unknown key; did you mean database_url?",
            "conda-store.yaml:3: CondaStore.upgrade_db: got integer `3`, takes true or false",
            "conda-store.yaml:4: CondaStor: unknown section; did you mean CondaStore?",
        ]
    );
    assert!(problems[3].starts_with("conda-store.yaml:7: S3Storage.zzz: unknown key; known are internal_endpoint,"));
}

#[test]
fn says_where_inside_an_option_a_value_is_wrong() {
    let text = "AuthorizationBackend:\n  authenticated_role_bindings:\n    a/*: [viewer, god]\n";
    assert_eq!(
        problems(text),
        ["conda-store.yaml:2: AuthorizationBackend.authenticated_role_bindings.a/*[1]: got \"god\", takes viewer, \
          developer, editor, admin"]
    );
}

#[test]
fn malformed_yaml_is_named_by_line() {
    let problems = problems("CondaStore:\n  upgrade_db: true\n  upgrade_db: false\n");
    assert!(problems[0].starts_with("conda-store.yaml:3: "), "{problems:?}");
    assert!(load("CondaStore: [").is_err());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Configuration::load(Some(Path::new("/nowhere/conda-store.yaml")), []).unwrap_err();
    assert!(problems.to_string().contains("/nowhere/conda-store.yaml: cannot be read: No such file"), "{problems}");
}

#[test]
fn the_environment_goes_before_the_file() {
    let (_directory, path) = file("CondaStore:\n  upgrade_db: true\n  conda_flags: a\n");
    let variables = [
        ("CONDA_STORE__CONDASTORE__UPGRADE_DB", "false"),
        ("CONDA_STORE__CONDASTORE__CONDA_PLATFORMS", "[linux-64, noarch]"),
        ("CONDA_STORE__DUMMYAUTHENTICATION__PASSWORD", "1234 # no comment"),
        ("CONDA_STORE__LOCALSTORAGE__STORAGE_PATH", "5"),
        ("CONDA_STORE_UNRELATED", "x"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let configuration = Configuration::load(Some(&path), variables).unwrap();
    assert!(!configuration.conda_store.upgrade_db);
    assert_eq!(configuration.settings.conda_flags, "a");
    assert_eq!(configuration.settings.conda_platforms.len(), 2);
    assert_eq!(configuration.dummy_authentication.password.expose_secret(), "1234 # no comment");
    assert_eq!(configuration.local_storage.storage_path.as_deref(), Some(Path::new("5")));
}

#[test]
fn the_environment_is_checked_as_the_file_is() {
    let variables =
        [("CONDA_STORE__CONDASTORE__UPGRADE_DB", "x"), ("CONDA_STORE__CONDASTOR__A", "x"), ("CONDA_STORE__A", "x")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let problems = Configuration::load(None, variables).unwrap_err().to_string();
    for said in [
        "environment variable CONDA_STORE__CONDASTORE__UPGRADE_DB: CondaStore.upgrade_db: got string \"x\", takes true or false",
        "environment variable CONDA_STORE__CONDASTOR__A: CONDASTOR: unknown section; did you mean CondaStore?",
        "environment variable CONDA_STORE__A: takes CONDA_STORE__SECTION__KEY",
    ] {
        assert!(problems.contains(said), "{problems}");
    }
}

#[test]
fn secrets_come_from_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "hush hush\n").unwrap();
    let text = format!("S3Storage:\n  secret_key_file: {}\n", secret.display());
    let configuration = load(&text).unwrap();
    assert_eq!(configuration.s3_storage.secret_key.unwrap().expose_secret(), "hush hush");
    let variable = ("CONDA_STORE__S3STORAGE__SECRET_KEY".to_owned(), "other".to_owned());
    let (_directory, path) = file(&text);
    let configuration = Configuration::load(Some(&path), [variable]).unwrap();
    assert_eq!(configuration.s3_storage.secret_key.unwrap().expose_secret(), "other");
    assert!(problems(&format!("{text}  secret_key: x\n"))[0].contains("is set twice, by secret_key_file at "));
    assert!(problems("S3Storage:\n  secret_key_file: /nowhere/x\n")[0].contains("/nowhere/x cannot be read"));
    assert!(problems("S3Storage:\n  region_file: /nowhere/x\n")[0].contains("unknown key; did you mean region?"));
}

#[test]
fn a_way_to_log_in_takes_the_keys_that_it_inherits() {
    let text = "Authentication:\n  cookie_name: a\n  cookie_domain: example.org\nDummyAuthentication:\n  cookie_name: b\n\
                GithubOAuthAuthentication:\n  cookie_name: c\n";
    let authentication = load(text).unwrap().authentication;
    assert_eq!(
        (authentication.cookie_name.as_str(), authentication.cookie_domain.as_deref()),
        ("b", Some("example.org"))
    );
    let github = format!("{text}CondaStoreServer:\n  authentication_class: GithubOAuthAuthentication\n");
    assert_eq!(load(&github).unwrap().authentication.cookie_name, "c");
}

#[test]
fn nothing_shows_a_secret() {
    let text = "CondaStore:\n  database_url: postgresql://u:hunter2@db/x\nS3Storage:\n  secret_key: hunter2\n  \
                credentials_kwargs: {a: hunter2}\nAuthenticationBackend:\n  secret: hunter2\n  predefined_tokens:\n    \
                hunter2: {}\nContainerRegistry:\n  container_registries:\n    https://r.org: {password: hunter2}\n";
    let shown = format!("{:?}", load(text).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    let wrong = "AuthenticationBackend:\n  predefined_tokens:\n    hunter2: {role: [hunter2]}\nS3Storage:\n  \
                 secret_key: [hunter2]\nContainerRegistry:\n  container_registries:\n    r: {password: [hunter2]}\n";
    let problems = problems(wrong);
    assert_eq!(problems.len(), 3);
    assert!(!problems.concat().contains("hunter2"), "{problems:?}");
}

fn checked(text: &str, program: Program) -> Result<Vec<String>, String> {
    let warnings = load(text).unwrap().check(program).map_err(|problems| problems.to_string())?;
    Ok(warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn contradictions_are_refused() {
    for (text, reason) in [
        ("CondaStoreServer:\n  url_prefix: store", "starts with /"),
        ("CondaStoreServer:\n  registry_external_url: https://r.org", "without a scheme"),
        ("CondaStore:\n  conda_solve_platforms: [win-64]", "this machine's platform must be among them"),
        ("CondaStore:\n  queue_url: memory://\n  celery_broker_url: sqla+sqlite:x", "the same option"),
        ("CondaStore:\n  queue_url: memory://", "works with standalone alone"),
        ("CondaStore:\n  celery_broker_url: sqs://u:hunter2@region", "got the scheme \"sqs\", takes redis://"),
        ("CondaStore:\n  build_directory: '{store}/x'", "store"),
        ("CondaStore:\n  environment_directory: '{store_directory}/x'", "has no {name}"),
        (
            "S3Storage:\n  internal_endpoint: 'http://minio'\nCondaStore:\n  storage_class: S3Storage",
            "HOST or HOST:PORT",
        ),
        ("CondaStore:\n  database_url: mysql://u:hunter2@db/x", "takes sqlite, postgresql"),
    ] {
        let problems = checked(text, Program::Server).unwrap_err();
        assert!(problems.contains(reason) && problems.contains("conda-store.yaml:2: "), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
    assert!(checked("CondaStore:\n  queue_url: memory://", Program::Standalone).is_ok());
    for scheme in ["redis", "rediss", "amqp", "amqps"] {
        assert!(checked(&format!("CondaStore:\n  queue_url: {scheme}://localhost"), Program::Server).is_ok());
    }
}

#[test]
fn what_this_version_cannot_do_is_said_at_start() {
    for text in [
        "CondaStoreServer:\n  authentication_class: GithubOAuthAuthentication",
        "ContainerRegistry:\n  container_registries: {'https://r.org': {}}",
    ] {
        let problems = checked(text, Program::Server).unwrap_err();
        assert!(problems.contains("conda-store.yaml:2: ") && problems.contains("this version"), "{problems}");
    }
    let warnings = checked("CondaStoreServer:\n  template: /srv/templates", Program::Server).unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.ends_with("CondaStoreServer.template: has no effect: this version has no web UI"))
    );
}
