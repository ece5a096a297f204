//! `conda-store-worker`: builds environments for a `conda-store-server`.

use clap::Parser;
use conda_store_examples::{
    command_line::WorkerArguments, compose::compose, configuration::Program, data_directory::DataDirectory, logging,
    progress::Progress, shutdown, work::work,
};
use indicatif::MultiProgress;

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
    let data = DataDirectory::of_user()?;
    let store = compose(&configuration, Program::Worker, &data, Progress::new(&bars)).await?;
    work(store, &configuration, shutdown).await;
    Ok(())
}
