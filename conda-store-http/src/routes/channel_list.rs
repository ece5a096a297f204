//! `GET /api/v1/channel/`: the channels that packages came from.

use conda_store_core::catalogue::Order;

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{NumberedPage, Parameters, ordering},
    view::ChannelView,
};

/// The channels that packages came from, by page number.
#[utoipa::path(
    get,
    path = "/channel",
    tag = "package",
    params(NumberedPage),
    responses((status = OK, body = Listing<ChannelView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<ChannelView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    parameters.check()?;
    let mut channels = caller.face.store().catalogue().channels().await?;
    if ordering(&parameters) == Order::Descending {
        channels.reverse();
    }
    Ok(page.share(channels.into_iter().map(ChannelView::from).collect()))
}
