//! What the service's refusals mean.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use conda_store_core::{Error, ErrorKind};

/// The error of a request.
pub(super) fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (kind, message) = match &error {
        SdkError::ServiceError(answered) => {
            let metadata = answered.err().meta();
            refusal(metadata.code(), metadata.message(), answered.raw().status().as_u16())
        }
        _ if has_no_credentials(&error) => (ErrorKind::Forbidden, "there are no credentials".into()),
        SdkError::TimeoutError(_) => (ErrorKind::Unavailable, "the service does not answer in time".into()),
        SdkError::DispatchFailure(_) => (ErrorKind::Unavailable, "the service cannot be reached".into()),
        SdkError::ResponseError(_) => (ErrorKind::Unavailable, "the service broke off its answer".into()),
        _ => (ErrorKind::Unexpected, "the request could not be made".into()),
    };
    let refused = Error::new(kind, operation, message);
    // The SDK's own error is passed over: shown, it spills the whole answer.
    match error.into_source() {
        Ok(cause) => refused.with_source(cause),
        Err(_) => refused,
    }
}

fn has_no_credentials(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(<dyn StdError>::is::<CredentialsError>)
}

/// What an answer says that is an error, by its code where it has one: an answer to HEAD has its status alone.
fn refusal(code: Option<&str>, said: Option<&str>, status: u16) -> (ErrorKind, String) {
    let known = match code.unwrap_or_default() {
        "NoSuchKey" => Some((ErrorKind::NotFound, "there is no such blob")),
        "NoSuchBucket" => Some((ErrorKind::Unexpected, "the bucket does not exist")),
        "InvalidAccessKeyId" | "NotSignedUp" | "InvalidClientTokenId" => {
            Some((ErrorKind::Forbidden, "the access key is not known there"))
        }
        "SignatureDoesNotMatch" => Some((ErrorKind::Forbidden, "the secret key does not belong to the access key")),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            Some((ErrorKind::Forbidden, "the credentials have expired"))
        }
        "InvalidToken" => Some((ErrorKind::Forbidden, "the session token does not belong to the access key")),
        "AccessDenied" | "AllAccessDisabled" => Some((ErrorKind::Forbidden, "the credentials do not allow it")),
        "RequestTimeTooSkewed" => {
            Some((ErrorKind::Forbidden, "the clocks of this machine and of the service differ too much"))
        }
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IncorrectEndpoint" => {
            Some((ErrorKind::Invalid, "the bucket is in another region"))
        }
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => {
            Some((ErrorKind::Corrupt, "the bytes changed on their way to the service"))
        }
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => {
            Some((ErrorKind::Full, "the service has no room"))
        }
        "PreconditionFailed" => Some((ErrorKind::Conflict, "the blob was replaced meanwhile")),
        _ => None,
    };
    let named = |message: &str| code.map_or_else(|| message.to_owned(), |code| format!("{message} ({code})"));
    if let Some((kind, message)) = known {
        return (kind, named(message));
    }
    let (kind, message) = match status {
        401 | 403 => (ErrorKind::Forbidden, "the credentials do not allow it"),
        404 => (ErrorKind::NotFound, "there is no such blob"),
        409 => (ErrorKind::Conflict, "something else is done with the blob just now"),
        412 => (ErrorKind::Conflict, "the blob was replaced meanwhile"),
        416 => (ErrorKind::Invalid, "the range is beyond the end of the blob"),
        507 => (ErrorKind::Full, "the service has no room"),
        429 | 500.. => (ErrorKind::Unavailable, "the service is overloaded or out of order"),
        _ => {
            return (
                ErrorKind::Unexpected,
                named(&format!("the service refused: {}", said.unwrap_or("it does not say why"))),
            );
        }
    };
    (kind, named(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_goes_before_the_status() {
        for (code, status, kind) in [
            (Some("ExpiredToken"), 400, ErrorKind::Forbidden),
            (Some("NoSuchBucket"), 404, ErrorKind::Unexpected),
            (Some("QuotaExceeded"), 403, ErrorKind::Full),
            (Some("SlowDown"), 503, ErrorKind::Unavailable),
            (None, 404, ErrorKind::NotFound),
            (None, 403, ErrorKind::Forbidden),
            (Some("MalformedXML"), 400, ErrorKind::Unexpected),
        ] {
            assert_eq!(refusal(code, None, status).0, kind, "{code:?} {status}");
        }
        assert_eq!(refusal(Some("SlowDown"), None, 503).1, "the service is overloaded or out of order (SlowDown)");
    }
}
