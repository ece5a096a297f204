//! `GET /api/v1/environment/{namespace}/{name}/`: one environment.

use conda_store_core::auth::Permission;

use crate::{answer::Data, caller::Caller, error::Answer, request::EnvironmentPath, view::EnvironmentView};

pub(crate) async fn handle(caller: Caller, path: EnvironmentPath) -> Answer<Data<EnvironmentView>> {
    let environment = caller.environment(&path.namespace, &path.name, Permission::EnvironmentRead).await?;
    Ok(Data(environment.into()))
}
