//! `GET /api/v1/channel/`: the channels that packages came from.

use conda_store_core::{catalogue::Order, model::CondaChannel};

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{NumberedPage, Parameters, ordering},
};

pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<CondaChannel>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    parameters.check()?;
    let mut channels = caller.face.store().catalogue().channels().await?;
    if ordering(&parameters) == Order::Descending {
        channels.reverse();
    }
    Ok(page.share(channels))
}
