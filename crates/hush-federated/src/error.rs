//! What can go wrong in an aggregation.

use crate::message::Kind;

/// Why a step of secure aggregation failed. Clients are named by their index in the directory.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FederatedError {
    /// A setting outside its range.
    #[error("{field} is {found}, which {reason}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A message of another length than the settings and the roster give it.
    #[error("{kind} message of client {client} has {found} bytes instead of {expected}")]
    Length {
        /// What the message should have been.
        kind: Kind,
        /// Who sent it, or whom the server sent it to.
        client: u32,
        /// Length by the settings.
        expected: usize,
        /// Length that came.
        found: usize,
    },
    /// A message that starts with something else than is due now.
    #[error("client {client}: {found} where a {expected} message was due")]
    Unexpected {
        /// Who sent it, or whom the server sent it to.
        client: u32,
        /// What was due.
        expected: Kind,
        /// What came.
        found: String,
    },
    /// A message of another session.
    #[error("message of client {client} belongs to another session")]
    Session {
        /// Who sent it.
        client: u32,
    },
    /// A message that names another sender than the connection that it came on.
    #[error("client {client} sent a message in the name of client {named}")]
    Sender {
        /// Who sent it.
        client: u32,
        /// Whom it names.
        named: u32,
    },
    /// Nobody by that index is in the directory.
    #[error("client {client} is not in the directory of {size} clients")]
    Unknown {
        /// The index.
        client: u32,
        /// How many there are.
        size: usize,
    },
    /// The same step twice.
    #[error("client {client} sent its {kind} message twice")]
    Twice {
        /// Who.
        client: u32,
        /// Which message.
        kind: Kind,
    },
    /// A message for a step that is over.
    #[error("the {kind} message of client {client} is late: that step is over")]
    Late {
        /// Who.
        client: u32,
        /// Which message.
        kind: Kind,
    },
    /// A client that took no part in an earlier step.
    #[error("client {client} sent a {kind} message but dropped out before")]
    Dropped {
        /// Who.
        client: u32,
        /// Which message.
        kind: Kind,
    },
    /// A signature that does not fit the pinned identity.
    #[error("signature of client {client} on its {kind} message does not fit its pinned identity")]
    Signature {
        /// Who.
        client: u32,
        /// Which message.
        kind: Kind,
    },
    /// Too few clients are left.
    #[error(
        "only {available} clients completed the {kind} step, {needed} are needed; start again with a larger cohort"
    )]
    Unavailable {
        /// The step that too few completed.
        kind: Kind,
        /// How many did.
        available: usize,
        /// How many must.
        needed: usize,
    },
    /// Too few neighbours of one client are left to rebuild its mask.
    #[error(
        "only {available} of the neighbours of client {client} are left, {needed} are needed to remove its mask; start again, with more neighbours or a lower threshold"
    )]
    Neighbours {
        /// Whose mask stays.
        client: u32,
        /// Neighbours that are left.
        available: usize,
        /// How many must be.
        needed: usize,
    },
    /// The server's list of clients contradicts what this client knows.
    #[error("the server's {kind} message contradicts what client {client} knows: {reason}")]
    Inconsistent {
        /// Who noticed.
        client: u32,
        /// Which message.
        kind: Kind,
        /// In which way.
        reason: &'static str,
    },
    /// A share that was not made for this client, or was changed under way.
    #[error("the share that client {from} sent to client {to} does not decrypt")]
    Share {
        /// Who made it.
        from: u32,
        /// Whom it is for.
        to: u32,
    },
    /// Shares that rebuild something else than the client committed to.
    #[error(
        "the shares of client {client} do not rebuild the secret that it committed to; it or a neighbour lied"
    )]
    Reconstruction {
        /// Whose secret.
        client: u32,
    },
    /// Two clients share a degenerate public key.
    #[error("the key of client {client} is degenerate")]
    Key {
        /// Whose key.
        client: u32,
    },
    /// A value that cannot be summed.
    #[error("value {index} is {value}, outside -{bound}..={bound}; clip it or raise the bound")]
    Value {
        /// Position in the vector.
        index: usize,
        /// What it is.
        value: f64,
        /// Largest magnitude.
        bound: f64,
    },
    /// A vector of another length than agreed.
    #[error("vector has {found} values, the session sums vectors of {expected}")]
    VectorLength {
        /// By the settings.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A word that does not fit the agreed number of bits.
    #[error("word {index} does not fit {bits} bits")]
    Word {
        /// Position in the vector.
        index: usize,
        /// Bits a word.
        bits: u32,
    },
    /// A weight outside its range.
    #[error("weight is {found}, outside 1..={most}")]
    Weight {
        /// What it is.
        found: u64,
        /// Largest weight.
        most: u64,
    },
    /// A sum that no honest clients can have made.
    #[error(
        "element {index} of the sum is {found}, beyond {bound}, which no clients within range can make"
    )]
    Sum {
        /// Position in the vector.
        index: usize,
        /// Element of the sum.
        found: i64,
        /// Largest magnitude.
        bound: u64,
    },
    /// A call in another phase than it belongs to.
    #[error("the aggregation is at its {phase} step")]
    Phase {
        /// Where it is.
        phase: Kind,
    },
}
