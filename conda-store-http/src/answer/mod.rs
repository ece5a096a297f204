//! The envelopes of successful answers.

mod artifact;
mod envelope;

pub(crate) use self::{
    artifact::{MEDIA_TYPES, artifact, blob},
    envelope::{Acknowledged, Acknowledgement, Data, DataWithMessage, Envelope, Listing, Piece},
};
