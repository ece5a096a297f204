//! `GET /api/v2/job/`: what there is to do, and what is being done.

use conda_store_core::catalogue::JobQuery;
use utoipa::{
    IntoParams, PartialSchema as _,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    answer::Piece,
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, query, schema},
    request::{CursorPage, Parameters, ordering},
    view::JobView,
};

/// What the list can be narrowed down to.
enum Filters {}

impl IntoParams for Filters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("kind", "only of this kind", schema::JobKind::schema()),
            query("state", "only where they stand here", schema::JobState::schema()),
        ]
    }
}

/// What there is to do and what is being done, by name: every build, solve, artifact and deletion that is not done, every
/// job that comes again and again, and all others from when they are handed in (looks at watched files from when they
/// begin). Which queue carries them makes no difference. For whoever may do everything.
#[utoipa::path(
    get,
    path = "/job",
    tag = "work",
    params(CursorPage, Filters),
    responses((status = OK, body = Piece<JobView>), Forbidden),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Piece<JobView>> {
    let page = CursorPage::read(&caller.face, &parameters);
    let (kind, state) = (parameters.parsed("kind"), parameters.parsed("state"));
    let wanted = JobQuery { kind, state, order: ordering(&parameters), page: page.request() };
    parameters.check()?;
    caller.require_everything().await?;
    let found = caller.face.store().catalogue().jobs(&wanted).await.map_err(|error| page.refused(error))?;
    let jobs = found.items.into_iter().map(JobView::from).collect();
    Ok(CursorPage::piece(jobs, found.total, found.next.as_ref()))
}
