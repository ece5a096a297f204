//! The envelopes of successful answers.

mod artifact;
mod envelope;

pub(crate) use self::{
    artifact::{artifact, blob},
    envelope::{Acknowledgement, Data, Deprecated, Listing, Piece},
};
