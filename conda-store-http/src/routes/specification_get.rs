//! `GET /api/v1/specification/`: what a specification would be built of.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use conda_store_core::{
    Error, ErrorKind,
    auth::Permission,
    specification::{Specification, SpecificationLimits},
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    answer::Solved,
    caller::Caller,
    error::{Answer, Failure},
    openapi::{BadInput, Forbidden, query, repeatable, schema},
    request::Parameters,
    view::SolvedPackageView,
};

/// The specification's parts, and the form of the answer.
#[derive(Debug)]
pub(crate) struct Question {
    channels: Vec<String>,
    conda: Vec<String>,
    pip: Vec<String>,
    as_lockfile: bool,
}

impl Question {
    fn read(parameters: &Parameters) -> Answer<Self> {
        let all = |name| parameters.all(name).map(str::to_owned);
        let as_lockfile = match parameters.text("format") {
            None | Some("yaml") => false,
            Some("lockfile") => true,
            Some(_) => {
                parameters.report("format", "must be yaml or lockfile".into(), "enum");
                false
            }
        };
        // The command-line client says `channels`.
        let channels = all("channel").chain(all("channels")).collect();
        let question = Self { channels, conda: all("conda").collect(), pip: all("pip").collect(), as_lockfile };
        parameters.check().map(|()| question)
    }

    fn specification(&self) -> conda_store_core::Result<Specification> {
        let pip = (!self.pip.is_empty()).then(|| serde_json::json!({ "pip": self.pip }));
        let dependencies: Vec<_> = self.conda.iter().map(|spec| spec.as_str().into()).chain(pip).collect();
        let text = serde_json::json!({ "name": "solve", "channels": self.channels, "dependencies": dependencies });
        // JSON is YAML.
        Specification::from_yaml(&text.to_string(), &SpecificationLimits::default())
    }
}

impl IntoParams for Question {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let forms = schema::string().enum_values(Some(["yaml", "lockfile"]));
        vec![
            repeatable("channel", "a channel, the most important first", schema::string()),
            repeatable("conda", "a conda match spec", schema::string()),
            repeatable("pip", "a pip requirement, which is not solved", schema::string()),
            query("format", "whether the answer is a list of packages or a lockfile", forms),
        ]
    }
}

/// What a specification would be built of, as a worker finds out: the packages for the platform of its machine, or a lockfile
/// for all. It ends with the client's connection.
#[utoipa::path(
    get,
    path = "/specification",
    tag = "specification",
    params(Question),
    responses(
        (status = OK, content((Solved<SolvedPackageView> = "application/json"), (String = "text/plain; charset=utf-8"))),
        BadInput,
        Forbidden,
    ),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Response> {
    let question = Question::read(&parameters)?;
    if caller.scope(Permission::EnvironmentSolve).await?.patterns.is_empty() {
        return Err(Failure::forbidden());
    }
    let namespace = caller.primary_namespace().await?;
    let store = caller.face.store();
    let solution = store.solve(&namespace, question.specification()?).await.map_err(refused)?;
    if question.as_lockfile {
        return Ok(solution.lockfile.to_text().into_response());
    }
    let channels = store.catalogue().channels().await?;
    let ids: BTreeMap<String, _> = channels.into_iter().map(|channel| (channel.name, channel.id)).collect();
    let packages = solution.packages.into_iter().map(|package| {
        let id = ids.get(&package.channel).copied();
        SolvedPackageView::new(package, id)
    });
    Ok(Solved::new(packages.collect()).into_response())
}

/// What cannot be solved is the fault of whoever asks, also where it takes too long or names what is not there.
fn refused(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Cancelled | ErrorKind::NotFound | ErrorKind::Conflict => {
            Error::invalid("solve specification", error.to_string()).with_source(error).into()
        }
        _ => error.into(),
    }
}
