//! Frames of the NATS protocol, cut out of a stream of bytes: as much of it as is needed to lose one.

use bytes::{Bytes, BytesMut};

/// Ends each line, and each payload.
const END: &[u8] = b"\r\n";

/// One frame, with the bytes it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// All of it.
    pub(crate) bytes: Bytes,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `PUB` or `HPUB`: a client publishes, and may want an answer.
    Publish {
        /// To what.
        subject: String,
        /// Where the answer is expected.
        reply: Option<String>,
    },
    /// `MSG` or `HMSG`: the server delivers.
    Message {
        /// What it was published to: of an answer, where it was expected.
        subject: String,
    },
    /// Anything else.
    Other,
}

/// Bytes of one direction of a connection, not yet cut.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Takes in what was read.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, once it is whole.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let line_end = self.buffer.windows(END.len()).position(|end| end == END)?;
        let line = String::from_utf8_lossy(self.buffer.get(..line_end)?).into_owned();
        let (kind, payload) = read(&line);
        let whole = line_end + END.len() + payload.map_or(0, |bytes| bytes + END.len());
        (self.buffer.len() >= whole).then(|| Frame { bytes: self.buffer.split_to(whole).freeze(), kind })
    }
}

/// What a line begins, and how many bytes of payload follow it.
fn read(line: &str) -> (Kind, Option<usize>) {
    let mut words = line.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let words: Vec<&str> = words.collect();
    let size = words.last().and_then(|last| last.parse().ok());
    // Numbers at the end: the size, and before it that of the headers where there are any.
    let numbers = if verb.starts_with('H') { 2 } else { 1 };
    let subject = words.first().map(|subject| (*subject).to_owned()).unwrap_or_default();
    match verb.as_str() {
        "PUB" | "HPUB" => {
            let reply = words.get(1).filter(|_| words.len() > 1 + numbers).map(|reply| (*reply).to_owned());
            (Kind::Publish { subject, reply }, size)
        }
        "MSG" | "HMSG" => (Kind::Message { subject }, size),
        _ => (Kind::Other, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Vec<(Kind, usize)> {
        std::iter::from_fn(|| frames.next()).map(|frame| (frame.kind, frame.bytes.len())).collect()
    }

    fn publish(subject: &str, reply: Option<&str>) -> Kind {
        Kind::Publish { subject: subject.to_owned(), reply: reply.map(str::to_owned) }
    }

    #[test]
    fn frames_are_cut_wherever_the_bytes_are() {
        let text = b"CONNECT {\"a\":1}\r\nPING\r\nPUB a.b 5\r\na\r\nbc\r\nHPUB c _INBOX.1 4 6\r\nh\r\n\r\nxy\r\nPUB d r 0\r\n\r\n";
        let expected =
            [Kind::Other, Kind::Other, publish("a.b", None), publish("c", Some("_INBOX.1")), publish("d", Some("r"))];
        for step in 1..text.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in text.chunks(step) {
                frames.extend(bytes);
                found.extend(all(&mut frames));
            }
            assert_eq!(found.iter().map(|(kind, _)| kind.clone()).collect::<Vec<_>>(), expected, "steps of {step}");
            assert_eq!(found.iter().map(|(_, length)| length).sum::<usize>(), text.len());
        }
    }

    #[test]
    fn what_the_server_delivers_is_known_by_its_subject() {
        let mut frames = Frames::default();
        frames.extend(b"MSG _INBOX.1 7 2\r\nok\r\nHMSG a.b 7 back 4 6\r\nh\r\n\r\nxy\r\n+OK\r\nMSG half 1 9\r\nabc");
        let message = |subject: &str| Kind::Message { subject: subject.to_owned() };
        let kinds: Vec<_> = all(&mut frames).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [message("_INBOX.1"), message("a.b"), Kind::Other]);
    }
}
