//! What is written to the process's standard output and error, by whatever language or library: two pipes and a
//! thread that reads them.
//!
//! The thread asks nobody for anything, above all not for Python's GIL: who fills a pipe while holding it waits for
//! the reader.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::outbox::{Outbox, Stream};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// The pipes that stand in the place of the two streams.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Pipes>>, Arc<Outbox>);

struct Pipes {
    pipes: [Pipe; 2],
    /// What is read lies here first. Kept, because it is read at every event.
    chunk: Box<[u8]>,
}

struct Pipe {
    stream: Stream,
    reader: std::fs::File,
    /// The beginning of a character whose end has not come.
    rest: Vec<u8>,
}

impl Capture {
    /// Takes the two streams over, for as long as the process lives.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(outbox: Arc<Outbox>) -> io::Result<Capture> {
        let pipe = |stream| -> io::Result<(Pipe, OwnedFd)> {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(&reader, true)?;
            Ok((Pipe { stream, reader: reader.into(), rest: Vec::new() }, writer))
        };
        let (output, output_end) = pipe(Stream::Stdout)?;
        let (error, error_end) = pipe(Stream::Stderr)?;
        rustix::stdio::dup2_stdout(output_end)?;
        rustix::stdio::dup2_stderr(error_end)?;
        let ends = [output.reader.try_clone()?, error.reader.try_clone()?];
        let capture = Capture(
            Arc::new(Mutex::new(Pipes { pipes: [output, error], chunk: vec![0; CHUNK].into() })),
            outbox,
        );
        let reading = capture.clone();
        thread::Builder::new().name("flambeau capture".to_owned()).spawn(move || {
            loop {
                let mut ready = [0, 1].map(|i: usize| PollFd::new(&ends[i], PollFlags::IN));
                // Nothing but a signal ends the wait: both writing ends stay open.
                if poll(&mut ready, None).is_ok() {
                    reading.drain();
                }
            }
        })?;
        Ok(capture)
    }

    /// Takes what has been written so far.
    pub fn drain(&self) {
        let mut pipes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pipes { pipes, chunk } = &mut *pipes;
        let mut ready = pipes.each_ref().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN));
        // Asked at every event; mostly there is nothing.
        if matches!(poll(&mut ready, Some(&Timespec::default())), Ok(0)) {
            return;
        }
        for pipe in pipes {
            while let Ok(length @ 1..) = pipe.reader.read(chunk) {
                let text = decoded(&mut pipe.rest, &chunk[..length]);
                self.1.write(pipe.stream, &text, None);
            }
        }
    }
}

/// Text of bytes: the beginning of a character waits in `rest` for its end, what is no text is replaced.
fn decoded(rest: &mut Vec<u8>, bytes: &[u8]) -> String {
    rest.extend_from_slice(bytes);
    let mut text = String::new();
    loop {
        match std::str::from_utf8(rest) {
            Ok(whole) => {
                text.push_str(whole);
                rest.clear();
                return text;
            }
            Err(error) => {
                let valid = error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&rest[..valid]));
                let Some(wrong) = error.error_len() else {
                    rest.drain(..valid);
                    return text;
                };
                text.push('\u{fffd}');
                rest.drain(..valid + wrong);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn characters_in_pieces_are_put_together_and_others_replaced() {
        let bytes = "a — π".as_bytes();
        for cut in 0..=bytes.len() {
            let mut rest = Vec::new();
            let text = decoded(&mut rest, &bytes[..cut]) + &decoded(&mut rest, &bytes[cut..]);
            assert_eq!((text.as_str(), rest.len()), ("a — π", 0));
        }
        assert_eq!(decoded(&mut Vec::new(), b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
    }
}
