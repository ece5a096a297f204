//! The plans of the statements that PostgreSQL runs, as its module `auto_explain` tells the client.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::LevelFilter, layer, prelude::*};

/// What a connection needs so that the server tells its plans, with the rows that each step really had.
const OPTIONS: &str = "options[session_preload_libraries]=auto_explain&options[auto_explain.log_min_duration]=0\
    &options[auto_explain.log_level]=notice&options[auto_explain.log_format]=json\
    &options[auto_explain.log_analyze]=on&options[auto_explain.log_timing]=off";

/// `url`, with plans told to whoever listens.
pub(crate) fn told(url: &str) -> String {
    format!("{url}{}{OPTIONS}", if url.contains('?') { '&' } else { '?' })
}

/// The plans told so far.
#[derive(Clone, Default)]
pub(crate) struct Plans(Arc<Mutex<Vec<String>>>);

/// How a statement read a table.
#[derive(Debug)]
pub(crate) struct Read {
    /// The table.
    pub(crate) table: String,
    /// In which way, as PostgreSQL calls it.
    pub(crate) node: String,
    /// How many rows it looked at.
    pub(crate) rows: f64,
}

impl Read {
    /// Whether it read the table from one end to the other.
    pub(crate) fn is_sequential(&self) -> bool {
        self.node.ends_with("Seq Scan")
    }
}

impl Plans {
    /// Listens to the plans that connections of this process are told.
    pub(crate) fn listen() -> Result<Self> {
        let plans = Self::default();
        let subscriber = tracing_subscriber::registry().with(plans.clone().with_filter(LevelFilter::INFO));
        subscriber.try_init().context("listen to plans")?;
        Ok(plans)
    }

    /// How tables were read since the last time, statement by statement.
    pub(crate) fn take(&self) -> Result<Vec<Read>> {
        let notices = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut reads = Vec::new();
        for notice in notices {
            let Some((_, text)) = notice.split_once("plan:\n") else { continue };
            let plan: Value = serde_json::from_str(text).context("read a plan")?;
            collect(&plan["Plan"], &mut reads);
        }
        Ok(reads)
    }
}

fn collect(node: &Value, reads: &mut Vec<Read>) {
    let number = |key: &str| node[key].as_f64().unwrap_or_default();
    if let (Some(table), Some(kind)) = (node["Relation Name"].as_str(), node["Node Type"].as_str()) {
        let removed = ["Rows Removed by Filter", "Rows Removed by Index Recheck"].map(number).iter().sum::<f64>();
        let rows = (number("Actual Rows") + removed) * number("Actual Loops");
        reads.push(Read { table: table.to_owned(), node: kind.to_owned(), rows });
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, reads);
    }
}

impl<S: Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &Event<'_>, _context: layer::Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Notices(&self.0));
        }
    }
}

struct Notices<'a>(&'a Mutex<Vec<String>>);

impl Visit for Notices<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
