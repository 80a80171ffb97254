//! Messages as they lie on the wire: frames, of which four are signed JSON.
//!
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol>.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The version of the protocol that is spoken.
pub const VERSION: &str = "5.5";

/// Stands between the addresses and the signature.
const DELIMITER: &[u8] = b"<IDS|MSG>";

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whom a reply goes to, as the ROUTER socket says it.
    pub identities: Vec<Vec<u8>>,
    pub header: Value,
    pub parent: Value,
    pub metadata: Value,
    pub content: Value,
    pub buffers: Vec<Vec<u8>>,
}

impl Message {
    /// Such as `execute_request`.
    pub fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }
}

/// Signs what is sent and checks what comes.
pub struct Session {
    key: Option<Hmac<Sha256>>,
    id: String,
    sent: u64,
}

impl Session {
    /// A session of the kernel's own. Without a key nothing is signed.
    pub fn new(key: &str) -> Session {
        let key = (!key.is_empty()).then(|| Hmac::new_from_slice(key.as_bytes()).ok()).flatten();
        Session { key, id: uuid::Uuid::new_v4().to_string(), sent: 0 }
    }

    /// A message that answers `parent`, or belongs to it.
    pub fn message(&mut self, kind: &str, parent: &Value, content: Value) -> Message {
        self.sent += 1;
        let date = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let header = json!({
            "msg_id": format!("{}_{}_{}", self.id, std::process::id(), self.sent),
            "session": self.id,
            "username": "flambeau",
            "date": date,
            "msg_type": kind,
            "version": VERSION,
        });
        Message {
            identities: Vec::new(),
            header,
            parent: parent.clone(),
            metadata: Value::Object(Map::new()),
            content,
            buffers: Vec::new(),
        }
    }

    fn signature(&self, parts: &[Vec<u8>]) -> Option<Hmac<Sha256>> {
        let mut mac = self.key.clone()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac)
    }

    /// The frames of a message.
    pub fn encode(&self, message: &Message) -> Vec<Vec<u8>> {
        let parts = [&message.header, &message.parent, &message.metadata, &message.content]
            .map(|part| part.to_string().into_bytes());
        let signature =
            self.signature(&parts).map(|mac| HEXLOWER.encode(&mac.finalize().into_bytes()));
        let mut frames = message.identities.clone();
        frames.push(DELIMITER.to_vec());
        frames.push(signature.unwrap_or_default().into_bytes());
        frames.extend(parts);
        frames.extend(message.buffers.iter().cloned());
        frames
    }

    /// The message of some frames; `None` where they are none, or are not signed with the key.
    pub fn decode(&self, mut frames: Vec<Vec<u8>>) -> Option<Message> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER)?;
        let mut rest = frames.split_off(delimiter).into_iter().skip(1);
        let signature = rest.next()?;
        let parts = [rest.next()?, rest.next()?, rest.next()?, rest.next()?];
        if let Some(mac) = self.signature(&parts) {
            mac.verify_slice(&HEXLOWER_PERMISSIVE.decode(&signature).ok()?).ok()?;
        }
        let [header, parent, metadata, content] =
            parts.map(|part| serde_json::from_slice::<Value>(&part).ok());
        let (header, content) = (header?, content?);
        let message = Message {
            identities: frames,
            header,
            parent: parent?,
            metadata: metadata?,
            content,
            buffers: rest.collect(),
        };
        (!message.kind().is_empty() && message.content.is_object()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(session: &mut Session) -> Message {
        let mut message =
            session.message("execute_request", &json!({}), json!({"code": "1 + 1 — π"}));
        message.identities = vec![b"client".to_vec()];
        message.buffers = vec![vec![0, 255]];
        message
    }

    #[test]
    fn what_is_signed_is_read_again() {
        let mut session = Session::new("secret");
        let message = sample(&mut session);
        let read = session.decode(session.encode(&message)).expect("its own message");
        assert_eq!(read.kind(), "execute_request");
        assert_eq!((&read.identities, &read.content), (&message.identities, &message.content));
        assert_eq!(read.buffers, message.buffers);
    }

    #[test]
    fn the_signature_is_that_of_other_implementations() {
        // hmac.new(b"key", b'{"a":1}{}{}{}', "sha256").hexdigest() of Python.
        let parts = [&b"{\"a\":1}"[..], b"{}", b"{}", b"{}"].map(<[u8]>::to_vec);
        let mac = Session::new("key").signature(&parts).expect("a key").finalize();
        assert_eq!(
            HEXLOWER.encode(&mac.into_bytes()),
            "f1128388193e4dd1aa760827bd756a1b40b627676b5efe22c0e8297919bfa218"
        );
    }

    #[test]
    fn nothing_else_is() {
        let mut session = Session::new("secret");
        let message = sample(&mut session);
        let frames = session.encode(&message);
        assert!(Session::new("other").decode(frames.clone()).is_none());
        assert!(Session::new("").decode(frames.clone()).is_some());
        for i in 1..frames.len() - 1 {
            let mut less = frames.clone();
            less.remove(i);
            assert!(session.decode(less).is_none(), "without frame {i}");
            let mut changed = frames.clone();
            changed[i].push(b' ');
            assert!(session.decode(changed).is_none(), "with frame {i} changed");
        }
        assert!(session.decode(Vec::new()).is_none());
    }
}
