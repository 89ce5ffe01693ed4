//! Why a command does not end well, and what it says about it: one sentence, never a backtrace.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use kafka_net::{ConnectError, RequestError};

/// Why a command ends with another exit code than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A sentence for the person: the cause, and what to try.
    Sentence(String),
    /// Ctrl-C before it was done.
    Interrupted,
    /// Whoever read standard output is gone. Nothing to say, and nobody to say it to.
    BrokenPipe,
}

impl Failure {
    pub(crate) fn new(sentence: impl Display) -> Self {
        Self::Sentence(sentence.to_string())
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Sentence(sentence) => {
                tell(format_args!("error: {sentence}"));
                ExitCode::from(1)
            }
            // What a shell reports of a command that SIGINT or SIGPIPE ended.
            Self::Interrupted => ExitCode::from(130),
            Self::BrokenPipe => ExitCode::from(141),
        }
    }
}

/// An error while writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Sentence(format!("cannot write to standard output: {error}")),
        }
    }
}

/// An error of the connection to the cluster. The texts of `kafka-net` name the address and the cause.
impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        let cause = match &error {
            RequestError::NoBroker { causes } => causes.first(),
            RequestError::Connect(cause) => Some(cause),
            _ => None,
        };
        let try_this = match cause {
            Some(ConnectError::Resolve { .. }) => ". Is the name right?",
            Some(ConnectError::Unreachable { .. }) => ". Is a broker running there?",
            Some(ConnectError::Timeout { .. }) => ". Is that a Kafka listener, without TLS?",
            _ => "",
        };
        Self::Sentence(format!("{error}{try_this}"))
    }
}

/// A line on standard error. If that is closed there is nobody to tell that either.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
