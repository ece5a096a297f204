//! From a file and the environment to options that are known and of the right types.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};

use super::{
    document,
    problem::{Origin, Problem, suggestion},
    schema::{ALIASES, Refusal, Schema, schemas},
};

/// What environment variables that set options start with.
const PREFIX: &str = "CONDA_STORE__";

/// One option that was set.
struct Setting {
    value: Value,
    origin: Origin,
    /// The key that set it: its own, or that with `_file`.
    written: String,
}

/// The options that were set, and what was wrong with others.
pub(super) struct Loader {
    schemas: Vec<Schema>,
    settings: BTreeMap<(&'static str, String), Setting>,
    problems: Vec<Problem>,
}

impl Loader {
    pub(super) fn new() -> Self {
        Self { schemas: schemas(), settings: BTreeMap::new(), problems: Vec::new() }
    }

    /// Everything that was wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Notes something that is wrong.
    pub(super) fn problem(&mut self, origin: Origin, subject: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { origin, subject: subject.into(), message: message.into() });
    }

    /// Takes the options of a file.
    pub(super) fn file(&mut self, path: &Path) {
        let origin = |line| Origin::File { path: path.to_owned(), line };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problem(origin(0), "", format!("cannot be read: {error}")),
        };
        let sections = match document::read(&text) {
            Ok(sections) => sections,
            Err(malformed) => return self.problem(origin(malformed.line.unwrap_or(0)), "", malformed.message),
        };
        for section in sections {
            let Some(index) = self.find_section(|name| name == section.name) else {
                let message = format!("unknown section; {}", suggestion(&section.name, self.section_names()));
                self.problem(origin(section.line), section.name, message);
                continue;
            };
            for entry in section.entries {
                self.set(index, &entry.key, entry.value, origin(entry.line));
            }
        }
    }

    /// Takes the options of environment variables; those of other names are passed over.
    pub(super) fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, text) in variables {
            if let Some(option) = variable.strip_prefix(PREFIX) {
                self.variable(Origin::Environment(variable.clone()), option, text);
            }
        }
    }

    fn variable(&mut self, origin: Origin, option: &str, text: String) {
        let Some((section, key)) = option.split_once("__") else {
            let message = format!("takes {PREFIX}SECTION__KEY, two underscores between section and key");
            return self.problem(origin, "", message);
        };
        let Some(index) = self.find_section(|name| name.eq_ignore_ascii_case(section)) else {
            let message = format!("unknown section; {}", suggestion(section, self.section_names()));
            return self.problem(origin, section, message);
        };
        let key = key.to_lowercase();
        let value = self.value_of(index, &key, text);
        self.set(index, &key, value, origin);
    }

    /// What the text of an environment variable stands for: YAML, but a secret, or what only makes sense as text, is
    /// taken as it is.
    fn value_of(&self, index: usize, key: &str, text: String) -> Value {
        let Some(owner) = self.owner(index, key) else { return Value::String(text) };
        if owner.is_secret_text(key) {
            return Value::String(text);
        }
        let value = document::scalar(&text);
        let as_text = Value::String(text);
        if owner.check(key, &value).is_err() && owner.check(key, &as_text).is_ok() { as_text } else { value }
    }

    fn set(&mut self, index: usize, written: &str, value: Value, origin: Origin) {
        let name = self.schemas[index].name;
        let subject = format!("{name}.{written}");
        let secret = written.strip_suffix("_file").and_then(|key| {
            let owner = self.owner(index, key)?;
            owner.is_secret_text(key).then_some((key, owner))
        });
        let (key, value, owner) = match (self.owner(index, written), secret) {
            (Some(owner), _) => (written, value, owner),
            (None, Some((key, owner))) => match read_secret(&value) {
                Ok(value) => (key, value, owner),
                Err(message) => return self.problem(origin, subject, message),
            },
            (None, None) => {
                let message = format!("unknown key; {}", suggestion(written, self.keys(index)));
                return self.problem(origin, subject, message);
            }
        };
        if let Err(Refusal { path, message }) = owner.check(key, &value) {
            return self.problem(origin, format!("{name}.{path}"), message);
        }
        let setting = Setting { value, origin, written: written.to_owned() };
        self.insert((name, key.to_owned()), setting);
    }

    /// Takes an option: the environment goes before the file, but one of them saying it twice is a contradiction.
    fn insert(&mut self, option: (&'static str, String), setting: Setting) {
        if let Some(earlier) = self.settings.get(&option)
            && matches!(earlier.origin, Origin::Environment(_)) == matches!(setting.origin, Origin::Environment(_))
        {
            let message = format!("is set twice, by {} at {} before; set one of them", earlier.written, earlier.origin);
            let subject = format!("{}.{}", option.0, setting.written);
            return self.problem(setting.origin, subject, message);
        }
        self.settings.insert(option, setting);
    }

    fn find_section(&self, is: impl Fn(&str) -> bool) -> Option<usize> {
        let name = ALIASES.iter().find(|(alias, _)| is(alias)).map(|(_, name)| *name);
        self.schemas.iter().position(|schema| name.map_or_else(|| is(schema.name), |name| schema.name == name))
    }

    fn section_names(&self) -> impl Iterator<Item = &'static str> {
        self.schemas.iter().map(|schema| schema.name)
    }

    /// The section that `key` belongs to when it is set under the name of section `index`.
    fn owner(&self, index: usize, key: &str) -> Option<&Schema> {
        self.family(index).find(|schema| schema.has(key))
    }

    /// Section `index`, and those that it inherits from.
    fn family(&self, index: usize) -> impl Iterator<Item = &Schema> {
        let schema = &self.schemas[index];
        let inherited =
            schema.inherits.iter().filter_map(|name| self.schemas.iter().find(|schema| schema.name == *name));
        std::iter::once(schema).chain(inherited)
    }

    fn keys(&self, index: usize) -> Vec<&'static str> {
        self.family(index).flat_map(Schema::keys).collect()
    }

    /// The options in effect for section `owner` where `class` is the way to log in: what is set under a class's name
    /// counts for that class alone, and more than what is set under the name of a section it inherits from.
    pub(super) fn options(&self, owner: &'static str, class: &str) -> BTreeMap<String, (Value, Origin)> {
        let schema = |name: &str| self.schemas.iter().find(|schema| schema.name == name);
        let Some(own) = schema(owner) else { return BTreeMap::new() };
        let mut sections = vec![owner];
        if let Some(heir) = schema(class).filter(|schema| schema.inherits.contains(&owner)) {
            let nearer = heir.inherits.iter().copied().take_while(|name| *name != owner).collect::<Vec<_>>();
            sections.extend(nearer.into_iter().rev());
            sections.push(heir.name);
        }
        let mut options = BTreeMap::new();
        for section in sections {
            let of_section = self.settings.iter().filter(|((name, key), _)| *name == section && own.has(key));
            for ((_, key), setting) in of_section {
                options.insert(key.clone(), (setting.value.clone(), setting.origin.clone()));
            }
        }
        options
    }
}

/// The text of the file that `value` names, without the line end that an editor puts at its end.
fn read_secret(value: &Value) -> Result<Value, String> {
    let path = value.as_str().ok_or("takes the path of a file that holds the secret")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    Ok(Value::String(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The values of `options` alone.
pub(super) fn values(options: &BTreeMap<String, (Value, Origin)>) -> Map<String, Value> {
    options.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
}
