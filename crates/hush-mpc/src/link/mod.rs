//! How the parties of a session reach each other.

pub mod memory;
pub mod tls;

/// What a link must take for one peer before a sender has to wait.
pub const QUEUE_BYTES: usize = 64 << 20;

/// One party's connections to the others of a session. Blocking; both sides know the length of
/// every message before it travels.
pub trait Link: Send {
    /// The index of this party, `0..parties`.
    fn party(&self) -> usize;

    /// The number of parties.
    fn parties(&self) -> usize;

    /// Queues one message to party `to`. It returns before the peer has read the message, as long
    /// as what is queued stays below the link's bound, which is [`QUEUE_BYTES`] or more. Protocols
    /// never have more than that under way to one peer before they wait for messages themselves, so two
    /// parties that send at the same time do not wait for each other.
    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError>;

    /// Waits for the next message from party `from`, which must have exactly `into.len()` bytes.
    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError>;

    /// Names the step that messages from now on belong to; errors and traces show it.
    fn step(&mut self, step: Step);

    /// What has travelled since the link was made.
    fn traffic(&self) -> Traffic;

    /// A secret of the connection that only this party and `peer` know, if the transport has one: what is derived from
    /// it is bound to the connection.
    fn pair_secret(&self, peer: usize) -> Option<[u8; 32]> {
        let _ = peer;
        None
    }
}

/// A place in the computation, the same at all parties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Which run of the session.
    pub run: u64,
    /// Which step of that run.
    pub index: u64,
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "step {} of run {}", self.index, self.run)
    }
}

/// Bytes and messages, as counted by one party, without the link's own framing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By the index of the peer; the entry of the party itself stays zero.
    pub peers: Vec<PeerTraffic>,
    /// Messages on the longest chain, each sent after the one before it had been received, that ends
    /// at this party. Zero if the link does not measure it; links in memory do.
    pub depth: u64,
}

/// What one party sent to and received from one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerTraffic {
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Messages received.
    pub messages_received: u64,
}

impl Traffic {
    /// No traffic among so many parties.
    pub fn none(parties: usize) -> Self {
        Self {
            peers: vec![PeerTraffic::default(); parties],
            depth: 0,
        }
    }

    /// Bytes sent to all peers.
    pub fn bytes_sent(&self) -> u64 {
        self.peers.iter().map(|peer| peer.bytes_sent).sum()
    }

    /// Messages sent to all peers.
    pub fn messages_sent(&self) -> u64 {
        self.peers.iter().map(|peer| peer.messages_sent).sum()
    }

    /// Notes one message sent to `to`.
    pub fn count_sent(&mut self, to: usize, bytes: usize) {
        self.peers[to].bytes_sent += bytes as u64;
        self.peers[to].messages_sent += 1;
    }

    /// Notes one message received from `from`.
    pub fn count_received(&mut self, from: usize, bytes: usize) {
        self.peers[from].bytes_received += bytes as u64;
        self.peers[from].messages_received += 1;
    }
}

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The peer closed the connection or its process ended.
    #[error("party {peer} closed the connection at {step}; see its own log for the reason")]
    Closed {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
    },
    /// Nothing came for too long.
    #[error("party {peer} has not answered for {seconds} s at {step}; see whether it still runs")]
    TimedOut {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
        /// How long it waited.
        seconds: u64,
    },
    /// A message of another length than both sides had to expect.
    #[error(
        "party {peer} sent {found} bytes at {step}, where {expected} were due; the parties do not run the same program"
    )]
    Length {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
        /// What the step exchanges.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A message of another step: replayed, reordered or from a program that differs.
    #[error("party {peer} sent a message of {found} where one of {step} was due")]
    Order {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
        /// What the message said.
        found: Step,
    },
    /// The connection failed.
    #[error("connection to party {peer} failed at {step}: {source}")]
    Io {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
        /// What the system said.
        source: std::io::Error,
    },
    /// A message that is not the next one of its connection.
    #[error("party {peer} sent message {found} at {step}, where message {expected} was due")]
    Sequence {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
        /// Number of the message that was due.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// Bytes that are no message of this session.
    #[error("party {peer} sent bytes at {step} that are no message of this session")]
    Frame {
        /// Index of the peer.
        peer: usize,
        /// Where this party was.
        step: Step,
    },
    /// The peer gave up for a reason of its own.
    #[error("party {peer} gave up at {step}; see its own log for the reason")]
    Failed {
        /// Index of the peer.
        peer: usize,
        /// Where the peer was.
        step: Step,
    },
    /// Another party failed first, and said why.
    #[error("{error}; party {by} noticed")]
    Reported {
        /// Index of the party that says so.
        by: usize,
        /// What went wrong there.
        error: Box<LinkError>,
    },
}

impl LinkError {
    /// The party at fault and the step, whoever noticed.
    pub fn culprit(&self) -> (usize, Step) {
        match self {
            Self::Closed { peer, step }
            | Self::TimedOut { peer, step, .. }
            | Self::Length { peer, step, .. }
            | Self::Order { peer, step, .. }
            | Self::Sequence { peer, step, .. }
            | Self::Frame { peer, step }
            | Self::Failed { peer, step }
            | Self::Io { peer, step, .. } => (*peer, *step),
            Self::Reported { error, .. } => error.culprit(),
        }
    }
}
