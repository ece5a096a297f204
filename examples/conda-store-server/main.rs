//! `conda-store-server`: serves environments, and with `--standalone` builds them too.

use clap::Parser;
use conda_store_examples::{
    command_line::ServerArguments, compose::compose, data_directory::DataDirectory, logging, progress::Progress,
    serve::serve, shutdown,
};
use indicatif::MultiProgress;
use prometheus::Registry;

/// Package lists come and go by hundreds of megabytes, on many threads: this allocator gives them back to the system, where
/// that of the C library keeps them for each thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = ServerArguments::parse();
    let (configuration, program) = arguments.configuration()?;
    let bars = MultiProgress::new();
    logging::start(&configuration.server.log_level, &bars)?;
    logging::warnings(&configuration.check(program)?);
    if arguments.check {
        return Ok(());
    }
    let shutdown = shutdown::on_signal()?;
    let (data, registry) = (DataDirectory::of_user()?, Registry::new());
    let store = compose(&configuration, program, &data, Progress::new(&bars), &registry).await?;
    let demonstration = arguments.demo.then_some(&data);
    Box::pin(serve(store, &configuration, program, demonstration, registry, shutdown)).await
}
