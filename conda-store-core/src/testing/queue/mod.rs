//! The conformance suite of [`Queue`]: a case for each sentence of its contract.
//!
//! [`queue_suite!`](crate::queue_suite) makes a test of every case.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a case that fails panics")]
#![expect(missing_docs, reason = "the name of a case is the sentence that it checks")]

use std::time::Duration;

use crate::queue::{JobName, Lease, NewJob, Priority, Queue, RetryPolicy};

pub mod cancel;
pub mod enqueue;
pub mod group;
pub mod lease;
pub mod order;
pub mod periodic;
pub mod race;
pub mod retry;

/// Makes one `#[tokio::test]` of every case of the suite.
///
/// The fixture is the path of an `async fn() -> Option<(Arc<dyn Queue>, Arc<ManualClock>, Guard)>`: an empty queue that
/// reads the clock, and whatever has to live as long as the test. `None` skips, after saying why (see
/// [`service`](crate::testing::service)).
#[macro_export]
macro_rules! queue_suite {
    ($fixture:path) => {
        $crate::queue_suite! { $fixture:
            order::a_job_arrives_as_it_was_handed_in
            order::an_empty_queue_gives_nothing
            order::the_higher_priority_goes_first
            order::among_equals_the_one_due_longest_goes_first
            order::a_delayed_job_is_not_due_before
            order::depth_counts_ready_delayed_and_leased
            order::waiting_ends_when_a_job_comes
            order::waiting_ends_at_its_limit
            enqueue::a_second_job_of_a_waiting_name_is_dropped
            enqueue::a_second_job_of_a_running_name_is_dropped
            enqueue::a_name_is_free_once_its_job_is_done
            group::groups_take_turns
            group::a_pile_of_jobs_holds_up_no_other_group
            group::the_group_with_the_fewest_leases_goes_first
            group::urgency_goes_before_turns
            group::a_group_has_no_more_leases_than_its_limit
            group::the_latest_job_sets_the_limit
            group::a_canceled_job_takes_up_room_until_it_is_settled
            group::a_full_group_wakes_nobody
            group::workers_never_exceed_a_limit
            lease::a_leased_job_is_not_leased_again
            lease::a_heartbeat_renews_the_lease
            lease::an_expired_lease_is_given_to_another_with_a_higher_attempt
            lease::a_holder_whose_job_went_to_another_is_stale
            lease::a_holder_whose_lease_expired_is_stale
            lease::a_holder_that_settled_is_stale
            lease::a_stale_holder_of_the_same_name_changes_nothing
            retry::a_failed_job_is_due_again_after_its_backoff
            retry::the_last_failure_ends_the_job
            retry::a_lost_attempt_counts
            retry::a_job_whose_last_attempt_was_lost_comes_once_more
            retry::a_job_that_failed_after_its_last_attempt_was_lost_is_gone
            retry::a_job_handed_back_is_due_at_once
            retry::handing_back_does_not_count
            periodic::a_periodic_job_is_due_again_after_its_interval
            periodic::a_periodic_job_has_all_its_attempts_each_time
            periodic::a_periodic_job_outlives_its_last_failure
            periodic::a_duplicate_sets_the_interval
            periodic::a_canceled_periodic_job_is_gone
            cancel::nothing_to_cancel_is_absent
            cancel::a_canceled_waiting_job_is_never_leased
            cancel::a_canceled_delayed_job_is_never_leased
            cancel::the_holder_of_a_canceled_job_learns_of_it
            cancel::a_canceled_job_is_gone_once_settled
            cancel::a_canceled_job_is_gone_when_its_lease_expires
            cancel::a_job_whose_lease_expired_counts_as_waiting
            race::workers_never_share_a_job
            race::one_worker_gets_the_only_job
            race::one_worker_gets_a_lost_job
            race::one_of_many_duplicates_is_new
            race::one_acknowledgement_counts
            race::cancelling_and_leasing_agree
        }
    };
    ($fixture:path: $($topic:ident::$case:ident)+) => {$(
        #[tokio::test]
        async fn $case() {
            if let Some((queue, clock, _guard)) = $fixture().await {
                $crate::testing::queue::$topic::$case(&*queue, &clock).await;
            }
        }
    )+};
}

/// How long the leases of the suite last.
const LEASE: Duration = Duration::from_secs(30);

/// The retry policy of the suite: three attempts, ten seconds apart at first, fifteen at most.
const RETRY: RetryPolicy =
    RetryPolicy { attempts: 3, backoff: Duration::from_secs(10), longest: Duration::from_secs(15) };

const MILLISECOND: Duration = Duration::from_millis(1);

/// The longest wait after which what is due after `duration` is not due yet.
fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(MILLISECOND)
}

fn name(name: &str) -> JobName {
    JobName(name.into())
}

/// A job that is due at once.
fn job(name: &str) -> NewJob {
    NewJob {
        name: JobName(name.into()),
        payload: serde_json::json!({ "of": name }),
        priority: Priority::FOLLOW_UP,
        group: None,
        delay: Duration::ZERO,
        retry: RETRY,
        every: None,
    }
}

/// Hands in a job that is due at once, and takes it.
async fn enqueue_and_lease(queue: &dyn Queue, name: &str) -> Lease {
    queue.enqueue(job(name)).await.unwrap();
    lease(queue).await
}

/// Takes the job that has to be due.
async fn lease(queue: &dyn Queue) -> Lease {
    queue.lease("worker", LEASE).await.unwrap().expect("a job is due")
}

/// No job is due.
async fn assert_idle(queue: &dyn Queue) {
    assert_eq!(queue.lease("idle", LEASE).await.unwrap(), None);
}

/// No job is left, of whatever state.
async fn assert_empty(queue: &dyn Queue) {
    assert_eq!(queue.depth().await.unwrap(), crate::queue::QueueDepth::default());
}

/// Nothing that the holder tries succeeds.
async fn assert_stale(queue: &dyn Queue, lease: &Lease) {
    let kinds = [
        queue.heartbeat(lease, LEASE).await.unwrap_err().kind(),
        queue.ack(lease).await.unwrap_err().kind(),
        queue.retry(lease).await.unwrap_err().kind(),
        queue.release(lease).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [crate::ErrorKind::Stale; 4]);
}
