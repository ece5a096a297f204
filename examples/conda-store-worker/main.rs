//! `conda-store-worker`: builds environments for a `conda-store-server`.

use std::pin::pin;

use clap::Parser;
use conda_store_examples::{
    command_line::WorkerArguments, compose::compose, configuration::Program, data_directory::DataDirectory, logging,
    monitor::monitor, progress::Progress, shutdown, work::work,
};
use indicatif::MultiProgress;
use prometheus::Registry;

/// Package lists come and go by hundreds of megabytes, on many threads: this allocator gives them back to the system, where
/// that of the C library keeps them for each thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = WorkerArguments::parse();
    let configuration = arguments.configuration()?;
    let bars = MultiProgress::new();
    logging::start(&configuration.worker.log_level, &bars)?;
    logging::warnings(&configuration.check(Program::Worker)?);
    if arguments.check {
        return Ok(());
    }
    let shutdown = shutdown::on_signal()?;
    let (data, registry) = (DataDirectory::of_user()?, Registry::new());
    let store = compose(&configuration, Program::Worker, &data, Progress::new(&bars), &registry).await?;
    let monitored = monitor(store.clone(), &configuration, registry, shutdown.clone()).await?;
    let mut worked = pin!(work(store, &configuration, shutdown));
    tokio::select! {
        () = &mut worked => Ok(()),
        monitored = monitored => {
            worked.await;
            monitored
        }
    }
}
