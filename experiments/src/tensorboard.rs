//! Event files: what TensorBoard reads.
//!
//! A file is a sequence of records framed as TensorFlow's `TFRecord`: the length, its checksum, the bytes, their checksum;
//! the bytes are a protocol buffer `Event`. Of its messages only those of scalars are needed, so they are written by
//! hand. Sources: `tensorflow/core/lib/io/record_writer.cc`, `tensorflow/core/util/event.proto` and
//! `tensorflow/core/framework/summary.proto`.

use std::path::Path;

use crate::appended::Appended;
use crate::error::Result;
use crate::{Map, metrics, now};

/// What the first record says.
const VERSION: &str = "brain.Event:2";

/// A file that events are appended to.
pub struct Events {
    file: Appended,
    /// What is written next; kept so that no event allocates.
    buffer: Vec<u8>,
}

impl Events {
    /// Opens a file to append to; of what is there the first `keep` bytes stay. With `keep` 0 it begins anew.
    ///
    /// # Errors
    /// A file that cannot be written, or that is shorter.
    pub fn open(path: &Path, keep: u64) -> Result<Events> {
        let file = Appended::open(path, keep)?;
        let mut events = Events { file, buffer: Vec::with_capacity(256) };
        if keep == 0 {
            events.append(|event| {
                fixed64(event, 1, now());
                bytes(event, 3, VERSION.as_bytes());
            })?;
        }
        Ok(events)
    }

    /// Appends the values of one step by their tags, in one call of the system. `wall_time` is in seconds since 1970.
    /// TensorBoard keeps values as 32-bit floats.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, step: i64, wall_time: f64, values: &[(&str, f64)]) -> Result<()> {
        self.append(|event| {
            fixed64(event, 1, wall_time);
            field(event, 2, VARINT);
            varint(event, step as u64);
            field(event, 5, BYTES);
            varint(event, values.iter().map(|(tag, _)| nested(value_size(tag))).sum());
            for (tag, value) in values {
                field(event, 1, BYTES);
                varint(event, value_size(tag));
                bytes(event, 1, tag.as_bytes());
                field(event, 2, FIXED32);
                event.extend_from_slice(&(*value as f32).to_le_bytes());
            }
        })
    }

    /// Appends a record with the event that `fill` writes.
    fn append(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        /// The length and its checksum.
        const HEADER: usize = 12;
        self.buffer.clear();
        self.buffer.resize(HEADER, 0);
        fill(&mut self.buffer);
        let length = ((self.buffer.len() - HEADER) as u64).to_le_bytes();
        self.buffer[..8].copy_from_slice(&length);
        self.buffer[8..HEADER].copy_from_slice(&checksum(&length));
        let end = checksum(&self.buffer[HEADER..]);
        self.buffer.extend_from_slice(&end);
        self.file.write(&self.buffer)
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.file.length()
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

/// The numbers of a flat record by their tags: all but its time and its step.
pub fn values(record: &Map) -> Vec<(&str, f64)> {
    let of_itself = |tag: &str| tag == metrics::TIME || tag == metrics::STEP;
    let all = record.iter().filter(|(tag, _)| !of_itself(tag));
    all.filter_map(|(tag, value)| Some((tag.as_str(), metrics::number(value)?))).collect()
}

/// Writes the records of a run as a new event file. A record without a step has its number as one.
///
/// # Errors
/// A file that cannot be written.
pub fn from_metrics(records: &[Map], path: &Path) -> Result<()> {
    let mut events = Events::open(path, 0)?;
    for (number, record) in records.iter().enumerate() {
        let named = |name: &str| record.get(name).and_then(metrics::number);
        let step = named(metrics::STEP).map_or(number as i64, |step| step as i64);
        let time = named(metrics::TIME).unwrap_or(0.0);
        let record = metrics::flat(record.clone());
        let values = values(&record);
        if !values.is_empty() {
            events.write(step, time, &values)?;
        }
    }
    Ok(())
}

/// The checksum of a `TFRecord`: CRC-32C, masked because checksums of data that hold checksums are weak.
fn checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Kinds of fields of a protocol buffer.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// The head of a field; its number is below 16.
fn field(out: &mut Vec<u8>, number: u8, kind: u8) {
    out.push(number << 3 | kind);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn fixed64(out: &mut Vec<u8>, number: u8, value: f64) {
    field(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    field(out, number, BYTES);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes of a field that holds this many.
fn nested(size: u64) -> u64 {
    let head = 1 + (64 - (size | 1).leading_zeros()).div_ceil(7);
    u64::from(head) + size
}

/// Bytes of a `Summary.Value`: its tag, and its number.
fn value_size(tag: &str) -> u64 {
    nested(tag.len() as u64) + 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_format() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        // What TensorFlow writes for the length of its first record, 24.
        assert_eq!(checksum(&24u64.to_le_bytes()), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn sizes_are_those_of_what_is_written() {
        for length in [0, 1, 122, 123, 127, 128, 16_383, 16_384] {
            let mut out = Vec::new();
            bytes(&mut out, 1, &vec![b'a'; length]);
            assert_eq!(out.len() as u64, nested(length as u64), "{length}");
        }
    }

    #[test]
    fn a_file_goes_on_from_where_it_was_cut() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("events.out.tfevents.0");
        let mut events = Events::open(&path, 0).expect("new");
        events.write(1, 10.0, &[("loss", 0.5), ("acc", 0.25)]).expect("write");
        let (kept, whole) = (events.length(), std::fs::read(&path).expect("read"));
        assert_eq!(kept, whole.len() as u64);
        events.write(2, 11.0, &[("loss", f64::NAN)]).expect("write");
        drop(events);
        let again = Events::open(&path, kept).expect("reopen");
        assert_eq!(again.length(), kept);
        assert_eq!(std::fs::read(&path).expect("read"), whole);
        let error = Events::open(&path, kept + 1).map(|_| ()).expect_err("too short");
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    #[test]
    fn tags_are_the_paths_of_numbers() {
        let record = serde_json::json!({
            "_time": 1.0, "step": 2, "loss": {"train": 0.5, "test": "NaN"}, "note": "x", "acc": 1
        });
        let record = metrics::flat(record.as_object().expect("map").clone());
        let values = values(&record);
        let tags: Vec<&str> = values.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, ["acc", "loss/test", "loss/train"]);
    }
}
