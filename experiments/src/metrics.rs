//! `metrics.jsonl`: a line of JSON for each record, in the order in which they were logged.
//!
//! A record holds what the script logged and `_time`, seconds since 1970. JSON has neither infinities nor nan: they are the
//! texts `"NaN"`, `"Infinity"` and `"-Infinity"`. A line goes to the system in one call, so a process that is killed
//! leaves at most one unfinished line, at the end, which is no record.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Map;
use crate::appended::Appended;
use crate::error::{Error, Result};

/// The name in a record of when it was logged.
pub const TIME: &str = "_time";
/// The name in a record of the step that it is of.
pub const STEP: &str = "step";

/// How much of a file's end is read for the last values.
const END: u64 = 1 << 16;

/// A file that records are appended to.
pub struct Metrics(Appended);

impl Metrics {
    /// Opens a file to append to; of what is there the first `keep` bytes stay.
    ///
    /// # Errors
    /// A file that cannot be written, or that is shorter.
    pub fn open(path: &Path, keep: u64) -> Result<Metrics> {
        Appended::open(path, keep).map(Metrics)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, record: &Map) -> Result<()> {
        let mut line = serde_json::to_vec(record).unwrap_or_default();
        line.push(b'\n');
        self.0.write(&line)
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.0.length()
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> Result<()> {
        self.0.sync()
    }
}

/// A number of a record.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A number for a record.
pub fn value(number: f64) -> Value {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    number.into()
}

/// A record whose maps are laid flat: `#{loss: #{train: 1.0}}` is `loss/train`.
pub fn flat(record: Map) -> Map {
    fn lay(record: Map, prefix: &str, flat: &mut Map) {
        for (name, value) in record {
            let name = format!("{prefix}{name}");
            match value {
                Value::Object(inner) => lay(inner, &format!("{name}/"), flat),
                value => drop(flat.insert(name, value)),
            }
        }
    }
    if !record.values().any(Value::is_object) {
        return record;
    }
    let mut out = Map::new();
    lay(record, "", &mut out);
    out
}

/// The records of a file; none where there is no file.
///
/// # Errors
/// A file that cannot be read, a line in it that is no record.
pub fn read(path: &Path) -> Result<Vec<Map>> {
    Follower::new(path).read()
}

/// The last values of a file by their names, without reading all of a long one: names that the end of it does not
/// hold are absent.
///
/// # Errors
/// As [`read`].
pub fn latest(path: &Path) -> Result<Map> {
    let mut follower = Follower::new(path);
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    follower.at = length.saturating_sub(END);
    // The line that begins before is not whole.
    follower.within = follower.at > 0;
    let mut last = Map::new();
    for mut record in follower.read()? {
        last.append(&mut record);
    }
    Ok(last)
}

/// Reads what is new in a file that another process appends to.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    at: u64,
    /// Whether a line has begun before.
    within: bool,
}

impl Follower {
    /// Begins at the file's beginning; it need not be there yet.
    pub fn new(path: &Path) -> Follower {
        Follower { path: path.to_owned(), at: 0, within: false }
    }

    /// The records that have come; all of them again where the file was cut.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(&mut self) -> Result<Vec<Map>> {
        let wrong = |error: &std::io::Error| Error::file(&self.path, error);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(&error)),
        };
        let length = file.metadata().map_err(|error| wrong(&error))?.len();
        if length < self.at {
            (self.at, self.within) = (0, false);
        }
        if length == self.at {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(self.at)).map_err(|error| wrong(&error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines = bytes[..whole].split(|&byte| byte == b'\n');
        let lines = lines.skip(self.within.into()).filter(|line| !line.is_empty());
        let records = lines.map(|line| {
            serde_json::from_slice(line).map_err(|error| Error::Damaged {
                path: self.path.clone(),
                cause: format!(
                    "{error} in {:?}",
                    String::from_utf8_lossy(&line[..line.len().min(80)])
                ),
            })
        });
        let records = records.collect::<Result<Vec<Map>>>()?;
        self.at += whole as u64;
        self.within &= whole == 0;
        Ok(records)
    }
}
