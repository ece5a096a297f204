//! Options that contradict one another, or what only a look at the whole can tell.

use std::{fmt, path::Path};

use conda_store_core::paths::{Layout, LayoutOptions};
use rattler_conda_types::Subdir;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Configuration, Section,
    problem::{Problem, Problems},
    sections::{CondaStoreSection, CondaStoreServerSection},
    unsupported::{Severity, unsupported},
};
use crate::storage;

/// Which program a configuration is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The server, without a worker.
    Server,
    /// The worker alone.
    Worker,
    /// The server with a worker in the same process.
    Standalone,
}

/// What carries jobs.
#[derive(Clone)]
pub enum QueueChoice {
    /// The database of the catalogue.
    Catalogue,
    /// Another database.
    Database(SecretString),
    /// The memory of this process.
    Memory,
    /// A Redis service.
    Redis(SecretString),
    /// The database of the catalogue, with a RabbitMQ service that tells of new jobs.
    RabbitMq(SecretString),
    /// Something else, by the scheme of its URL.
    Unknown(String),
}

impl fmt::Debug for QueueChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Catalogue => "Catalogue",
            Self::Database(_) => "Database",
            Self::Memory => "Memory",
            Self::Redis(_) => "Redis",
            Self::RabbitMq(_) => "RabbitMq",
            Self::Unknown(scheme) => scheme,
        })
    }
}

impl Configuration {
    /// Looks for contradictions and for what this version cannot do. Returns what is worth a warning: options that
    /// have no effect.
    ///
    /// # Errors
    /// Everything for which `program` could not do what is asked.
    pub fn check(&self, program: Program) -> Result<Vec<Problem>, Problems> {
        let (mut problems, mut warnings) = (self.contradictions(program), Vec::new());
        for (severity, problem) in unsupported(self, program) {
            match severity {
                Severity::Refused => problems.push(problem),
                Severity::WithoutEffect => warnings.push(problem),
            }
        }
        if problems.is_empty() { Ok(warnings) } else { Err(Problems(problems)) }
    }

    /// What carries jobs, by `queue_url` (`celery_broker_url`), else `redis_url`, else the database.
    #[must_use]
    pub fn queue(&self) -> QueueChoice {
        let section = &self.conda_store;
        let given = [&section.queue_url, &section.celery_broker_url, &section.redis_url].into_iter().flatten().next();
        let Some(url) = given else { return QueueChoice::Catalogue };
        let url = url.expose_secret();
        if let Some(database) = url.strip_prefix("sqla+") {
            return QueueChoice::Database(database.into());
        }
        match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "memory" => QueueChoice::Memory,
            "redis" | "rediss" | "redis+unix" => QueueChoice::Redis(url.into()),
            "amqp" | "amqps" => QueueChoice::RabbitMq(url.into()),
            scheme => QueueChoice::Unknown(scheme.to_owned()),
        }
    }

    /// The key that [`queue`](Self::queue) is decided by.
    pub(super) fn queue_key(&self) -> &'static str {
        match &self.conda_store {
            CondaStoreSection { queue_url: Some(_), .. } => "queue_url",
            CondaStoreSection { celery_broker_url: Some(_), .. } => "celery_broker_url",
            _ => "redis_url",
        }
    }

    /// `message` about an option, with the place where it was set.
    pub(crate) fn problem(&self, section: &'static str, key: &str, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem { origin: self.origin(section, key), subject: format!("{section}.{key}"), message }
    }

    fn contradictions(&self, program: Program) -> Vec<Problem> {
        let found = [
            self.url_prefix(),
            self.registry_url(),
            self.platforms(),
            self.queues(),
            self.scheme(),
            self.memory(program),
            self.database(),
            self.templates(),
            storage::problem(self),
        ];
        found.into_iter().flatten().collect()
    }

    fn url_prefix(&self) -> Option<Problem> {
        let prefix = &self.server.url_prefix;
        let message = format!("got {prefix:?}, takes a path that starts with / such as /conda-store");
        (!prefix.starts_with('/')).then(|| self.problem(CondaStoreServerSection::NAME, "url_prefix", message))
    }

    fn registry_url(&self) -> Option<Problem> {
        let url = self.server.registry_external_url.as_ref().filter(|url| url.contains("://"))?;
        let message = format!("got {url:?}, takes HOST:PORT without a scheme");
        Some(self.problem(CondaStoreServerSection::NAME, "registry_external_url", message))
    }

    fn platforms(&self) -> Option<Problem> {
        let here = Subdir::current()?;
        let message = format!("does not have {here}; this machine's platform must be among them");
        (!self.settings.conda_solve_platforms.contains(&here))
            .then(|| self.problem(CondaStoreSection::NAME, "conda_solve_platforms", message))
    }

    fn queues(&self) -> Option<Problem> {
        let (plain, celery) = (self.conda_store.queue_url.as_ref()?, self.conda_store.celery_broker_url.as_ref()?);
        let message = "is the same option as celery_broker_url, which is set to another value; set one of them";
        (plain.expose_secret() != celery.expose_secret())
            .then(|| self.problem(CondaStoreSection::NAME, "queue_url", message))
    }

    fn scheme(&self) -> Option<Problem> {
        let QueueChoice::Unknown(scheme) = self.queue() else { return None };
        let takes = "redis://, rediss://, amqp://, amqps://, sqla+DATABASE_URL or memory://";
        Some(self.problem(
            CondaStoreSection::NAME,
            self.queue_key(),
            format!("got the scheme {scheme:?}, takes {takes}"),
        ))
    }

    fn memory(&self, program: Program) -> Option<Problem> {
        let message = "memory:// reaches no other process; it works with standalone alone";
        (matches!(self.queue(), QueueChoice::Memory) && program != Program::Standalone)
            .then(|| self.problem(CondaStoreSection::NAME, self.queue_key(), message))
    }

    fn database(&self) -> Option<Problem> {
        let url = self.conda_store.database_url.as_ref()?;
        let scheme = url.expose_secret().split_once(':').map_or("", |(scheme, _)| scheme);
        let message = format!("got the scheme {scheme:?}, takes sqlite, postgresql or postgresql+psycopg2");
        (!matches!(scheme, "sqlite" | "postgres" | "postgresql" | "postgresql+psycopg2"))
            .then(|| self.problem(CondaStoreSection::NAME, "database_url", message))
    }

    fn templates(&self) -> Option<Problem> {
        let section = &self.conda_store;
        let mut options = LayoutOptions::new("/");
        options.build_directory.clone_from(&section.build_directory);
        let root = Path::new("/");
        if let Err(error) = Layout::new(&options, root) {
            return Some(self.problem(CondaStoreSection::NAME, "build_directory", error.to_string()));
        }
        options.environment_directory.clone_from(&section.environment_directory);
        let error = Layout::new(&options, root).err()?;
        Some(self.problem(CondaStoreSection::NAME, "environment_directory", error.to_string()))
    }
}
