//! Reads standard input and files on a thread of its own: a read of a terminal cannot be cancelled.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::mpsc;

use crate::failure::Failure;

/// What comes from the sources, one after the other.
#[derive(Debug)]
pub(crate) enum Input {
    Bytes(Vec<u8>),
    /// The end of a source: a line does not go on in the next one.
    End,
    /// Reading failed; nothing comes after it.
    Failed(String),
}

/// Bytes that are read at once.
const PIECE_LEN: usize = 64 * 1024;
/// Pieces that wait to be taken.
const PIECES_MAX: usize = 4;

/// Opens all sources, and begins to read. `-` is standard input, and so are no sources at all.
///
/// # Errors
/// If one cannot be opened; then nothing of any is read.
pub(crate) fn open(paths: &[PathBuf]) -> Result<mpsc::Receiver<Input>, Failure> {
    let only_standard_input = [PathBuf::from("-")];
    let paths = if paths.is_empty() { &only_standard_input } else { paths };
    let mut sources: Vec<(String, Box<dyn Read + Send>)> = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if path == Path::new("-") {
            sources.push(("standard input".to_owned(), Box::new(io::stdin())));
            continue;
        }
        let file = File::open(path)
            .map_err(|error| Failure::new(format_args!("cannot open {name}: {error}")))?;
        sources.push((name, Box::new(file)));
    }
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    let thread = thread::Builder::new().name("input".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "reading a terminal blocks for as long as it likes"
    )]
    thread
        .spawn(move || {
            for (name, source) in sources {
                if read(&name, source, &pieces).is_err() {
                    break;
                }
            }
        })
        .map_err(|error| Failure::new(format_args!("cannot start a thread: {error}")))?;
    Ok(receiver)
}

/// Reads one source to its end. An error: there is nobody to read for, or no use in it.
fn read(
    name: &str,
    mut source: Box<dyn Read + Send>,
    pieces: &mpsc::Sender<Input>,
) -> Result<(), ()> {
    let give = |piece| pieces.blocking_send(piece).map_err(|_| ());
    loop {
        let mut piece = vec![0; PIECE_LEN];
        match source.read(&mut piece) {
            Ok(0) => return give(Input::End),
            Ok(len) => {
                piece.truncate(len);
                give(Input::Bytes(piece))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                give(Input::Failed(format!("cannot read {name}: {error}")))?;
                return Err(());
            }
        }
    }
}
