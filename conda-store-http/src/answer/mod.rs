//! The envelopes of successful answers.

mod artifact;
mod envelope;

pub(crate) use self::{
    artifact::{MEDIA_TYPES, artifact, blob, require_artifact, unavailable},
    envelope::{Acknowledged, Acknowledgement, Data, DataWithMessage, Envelope, Listing, Piece, Solved},
};
