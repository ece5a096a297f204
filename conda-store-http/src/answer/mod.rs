//! The envelopes of successful answers.

mod artifact;
mod envelope;

pub(crate) use self::{
    artifact::{MEDIA_TYPES, REPR_DIGEST, artifact, blob, require_artifact, require_lockfile, text, unavailable},
    envelope::{Acknowledged, Acknowledgement, Data, DataWithMessage, Envelope, Listing, Piece, Solved},
};
