//! How the service is spoken to.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::{
    Client, Config,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};

use super::S3Endpoint;

/// How often a request is sent that fails for a reason which may pass.
const ATTEMPTS: u32 = 6;

/// The longest wait before the second attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How many times as long as a transfer may stand still an answer may take. Joining thousands of parts takes minutes.
const ANSWER: u32 = 15;

/// What the clients of one storage have in common.
pub(super) struct Common {
    pub(super) region: Region,
    pub(super) credentials: SharedCredentialsProvider,
    pub(super) stall_limit: Duration,
}

/// The client that gets and puts.
pub(super) fn internal(endpoint: &S3Endpoint, common: &Common) -> Client {
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(common.stall_limit).build();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(common.stall_limit).read_timeout(common.stall_limit * ANSWER).build();
    let config = config(endpoint, common)
        .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
        .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_WAIT))
        .stalled_stream_protection(stalls)
        .timeout_config(timeouts);
    Client::from_conf(config.build())
}

/// The client that signs links and sends nothing.
pub(super) fn external(endpoint: &S3Endpoint, common: &Common) -> Client {
    // A browser sends no headers but its own: a link must not ask for a checksum.
    let config = config(endpoint, common).response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Client::from_conf(config.build())
}

fn config(endpoint: &S3Endpoint, common: &Common) -> aws_sdk_s3::config::Builder {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(common.region.clone())
        .credentials_provider(common.credentials.clone())
        .force_path_style(endpoint.is_path_style());
    config.set_endpoint_url(endpoint.address().map(str::to_owned));
    config
}
