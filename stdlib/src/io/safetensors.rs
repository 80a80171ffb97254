//! Safetensors: a header in JSON, then the elements of all tensors.
//!
//! Source: <https://github.com/huggingface/safetensors#format>. Files go to and come from the
//! Python package unchanged.

use flambeau_runtime::torch::{Dtype, Tensor, sizes};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flambeau_runtime::error::{Error, Result};
use serde_json::{Map, Value, json};

use super::files;
use super::raw::{RawTensor, byte_len};

/// The Python package refuses longer headers too.
const MAX_HEADER: u64 = 100_000_000;
const METADATA: &str = "__metadata__";

const DTYPES: &[(Dtype, &str)] = &[
    (Dtype::BOOL, "BOOL"),
    (Dtype::UINT8, "U8"),
    (Dtype::INT8, "I8"),
    (Dtype::INT16, "I16"),
    (Dtype(27), "U16"),
    (Dtype::FLOAT16, "F16"),
    (Dtype::BFLOAT16, "BF16"),
    (Dtype::INT32, "I32"),
    (Dtype(28), "U32"),
    (Dtype::FLOAT32, "F32"),
    (Dtype::COMPLEX64, "C64"),
    (Dtype::FLOAT64, "F64"),
    (Dtype::INT64, "I64"),
    (Dtype(29), "U64"),
    (Dtype(24), "F8_E4M3"),
    (Dtype(26), "F8_E4M3FNUZ"),
    (Dtype(23), "F8_E5M2"),
    (Dtype(25), "F8_E5M2FNUZ"),
    (Dtype(44), "F8_E8M0"),
];

/// One tensor of a file: where it is and what it is.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<i64>,
    start: u64,
    end: u64,
}

/// An open file whose header has been read and checked; tensors are read one at a time.
pub(crate) struct Reader {
    path: PathBuf,
    file: File,
    data: u64,
    entries: Vec<Entry>,
    metadata: Map<String, Value>,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// An `IoError` that names the file and what is wrong with it; nothing is read from a file
    /// whose length is not the one that its header promises.
    pub fn open(path: &Path) -> Result<Reader> {
        let (mut file, length) = files::open(path)?;
        let bad = |cause: String| Error::io(path, cause);
        if length == 0 {
            return Err(bad("the file is empty".to_owned()));
        }
        let mut start = [0; 8];
        let got = read_up_to(&mut file, &mut start).map_err(|e| files::explain(path, &e))?;
        refuse_other_formats(path, &start[..got])?;
        if got < 8 {
            return Err(bad(format!("is no safetensors file: it has only {got} bytes")));
        }
        let header = u64::from_le_bytes(start);
        if header > MAX_HEADER {
            return Err(bad(format!(
                "is no safetensors file: its header would be {header} bytes long"
            )));
        }
        if header > length - 8 {
            return Err(bad(format!(
                "is truncated or no safetensors file: a header of {header} bytes is announced, \
                 {} bytes follow",
                length - 8
            )));
        }
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(|error| files::explain(path, &error))?;
        let (entries, metadata) = parse_header(&text, length - 8 - header).map_err(bad)?;
        Ok(Reader { path: path.to_owned(), file, data: 8 + header, entries, metadata })
    }

    /// The names of the tensors, in the order of their elements in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// A text of the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key)?.as_str()
    }

    /// Reads the elements of tensor `i`.
    ///
    /// # Errors
    /// An `IoError` when the file cannot be read.
    pub fn read(&mut self, i: usize) -> Result<RawTensor> {
        let entry = &self.entries[i];
        let mut bytes = vec![0; (entry.end - entry.start) as usize];
        self.file
            .seek(SeekFrom::Start(self.data + entry.start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| files::explain(&self.path, &error))?;
        if cfg!(target_endian = "big") {
            super::raw::swap_bytes(&mut bytes, number_width(entry.dtype));
        }
        Ok(RawTensor { dtype: entry.dtype, shape: entry.shape.clone(), bytes })
    }
}

/// The width of one number: a complex element holds two.
fn number_width(dtype: Dtype) -> usize {
    if dtype.is_complex() { dtype.itemsize() / 2 } else { dtype.itemsize() }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Python's own `torch.save` writes a ZIP of pickles: say so instead of 'header too long'.
fn refuse_other_formats(path: &Path, start: &[u8]) -> Result<()> {
    let zip = start.starts_with(b"PK\x03\x04");
    let pickle = start.len() > 2 && start[0] == 0x80 && start[1] <= 5 && path_is_pickle(path);
    if zip || pickle {
        return Err(Error::io(
            path,
            "is a file of Python's torch.save (pickled objects), which is not read here",
        )
        .help(
            "save it as safetensors in Python: \
             safetensors.torch.save_file(model.state_dict(), path)",
        ));
    }
    Ok(())
}

fn path_is_pickle(path: &Path) -> bool {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    matches!(suffix, "pt" | "pth" | "pkl" | "bin" | "ckpt" | "pickle")
}

/// Reads and checks a header: `data` is how many bytes follow it.
fn parse_header(text: &[u8], data: u64) -> Result<(Vec<Entry>, Map<String, Value>), String> {
    let header: Map<String, Value> = serde_json::from_slice(text)
        .map_err(|error| format!("is no safetensors file: its header is not JSON: {error}"))?;
    let mut metadata = Map::new();
    let mut entries = Vec::with_capacity(header.len());
    for (name, value) in header {
        if name == METADATA {
            match value {
                Value::Object(map) if map.values().all(Value::is_string) => metadata = map,
                _ => return Err(format!("{METADATA} does not map texts to texts")),
            }
            continue;
        }
        entries.push(parse_entry(name, &value)?);
    }
    // The elements must fill the file without holes: nothing hides in between, nothing is missing.
    entries.sort_by(|a, b| (a.start, a.end, &a.name).cmp(&(b.start, b.end, &b.name)));
    let mut position = 0;
    for entry in &entries {
        if entry.start != position {
            return Err(format!(
                "is damaged: tensor '{}' begins at byte {}, expected {position}",
                entry.name, entry.start
            ));
        }
        position = entry.end;
    }
    if position > data {
        return Err(format!(
            "is truncated: {position} bytes of tensors are announced, {data} follow"
        ));
    }
    if position < data {
        return Err(format!("is damaged: {} bytes belong to no tensor", data - position));
    }
    Ok((entries, metadata))
}

fn parse_entry(name: String, value: &Value) -> Result<Entry, String> {
    let broken = |what: &str| format!("has a broken header: tensor '{name}' {what}");
    let code = value.get("dtype").and_then(Value::as_str).ok_or_else(|| broken("has no dtype"))?;
    let dtype = DTYPES
        .iter()
        .find(|(_, known)| *known == code)
        .map(|&(dtype, _)| dtype)
        .ok_or_else(|| broken(&format!("has dtype {code}, which is not known here")))?;
    let list = |key: &str| -> Option<Vec<i64>> {
        value.get(key)?.as_array()?.iter().map(|n| n.as_i64().filter(|n| *n >= 0)).collect()
    };
    let shape = list("shape").ok_or_else(|| broken("has no shape"))?;
    let (start, end) = match list("data_offsets").as_deref() {
        Some(&[start, end]) if start <= end => (start as u64, end as u64),
        _ => return Err(broken("has no place in the file (data_offsets)")),
    };
    if byte_len(dtype, &shape).map(|len| len as u64) != Some(end - start) {
        return Err(broken(&format!(
            "of {}{shape:?} does not take {} bytes",
            dtype.name(),
            end - start
        )));
    }
    Ok(Entry { name, dtype, shape, start, end })
}

/// Writes tensors and metadata, whole or not at all. Wide elements come first, so that all are
/// aligned; tensors of one width keep their order.
///
/// # Errors
/// A `TypeError` that names the tensor for dtypes and layouts that the format does not have; a
/// `ValueError` for a name that occurs twice; an `IoError` that names the file.
pub(crate) fn write(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &[(&str, String)],
) -> Result<()> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(tensors[i].1.dtype().itemsize()));
    let mut header = Map::new();
    if !metadata.is_empty() {
        let texts = metadata.iter().map(|(key, text)| ((*key).to_owned(), json!(text)));
        header.insert(METADATA.to_owned(), Value::Object(texts.collect()));
    }
    let mut position = 0;
    for &i in &order {
        let (name, tensor) = &tensors[i];
        let dtype = tensor.dtype();
        let Some((_, code)) = DTYPES.iter().find(|(known, _)| *known == dtype) else {
            return Err(Error::type_(format!("'{name}': safetensors has no dtype for {dtype}")));
        };
        if tensor.is_sparse() {
            return Err(Error::type_(format!(
                "'{name}' is sparse; safetensors holds dense tensors"
            ))
            .help("convert it first: x.to_dense()"));
        }
        let shape = sizes(tensor);
        let end = byte_len(dtype, &shape)
            .and_then(|len| len.checked_add(position))
            .ok_or_else(|| Error::value(format!("'{name}' is too large")))?;
        let entry = json!({"dtype": code, "shape": shape, "data_offsets": [position, end]});
        if name == METADATA || header.insert(name.clone(), entry).is_some() {
            return Err(Error::value(format!("the name '{name}' cannot be used twice in a file")));
        }
        position = end;
    }
    let mut text = serde_json::to_vec(&header).map_err(|error| Error::io(path, error))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    files::write(path, |out| {
        let failed = |error: std::io::Error| files::explain(path, &error);
        out.write_all(&(text.len() as u64).to_le_bytes()).map_err(failed)?;
        out.write_all(&text).map_err(failed)?;
        for &i in &order {
            let mut raw = RawTensor::of(&tensors[i].1)?;
            if cfg!(target_endian = "big") {
                super::raw::swap_bytes(&mut raw.bytes, number_width(raw.dtype));
            }
            out.write_all(&raw.bytes).map_err(failed)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn open(name: &str, bytes: &[u8]) -> Result<Reader> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        Reader::open(&path)
    }

    #[test]
    fn a_file_is_read_in_the_order_of_its_elements() {
        let header = r#"{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
            "a":{"dtype":"U8","shape":[2,1],"data_offsets":[4,6]},
            "none":{"dtype":"F64","shape":[0,3],"data_offsets":[6,6]},
            "__metadata__":{"format":"pt"}}  "#;
        let mut data = 2.5f32.to_le_bytes().to_vec();
        data.extend([7, 8]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, file(header, &data)).expect("written");
        let mut reader = Reader::open(&path).expect("a file");
        assert_eq!(reader.names().collect::<Vec<_>>(), ["b", "a", "none"]);
        assert_eq!(reader.metadata("format"), Some("pt"));
        assert_eq!(reader.read(1).expect("a").bytes, [7, 8]);
        assert_eq!(reader.read(0).expect("b").bytes, 2.5f32.to_ne_bytes());
        assert_eq!(reader.read(2).expect("none").shape, [0, 3]);
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let good = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let with = |text: &str, data: usize| file(text, &vec![0; data]);
        let cases: &[(&str, Vec<u8>, &str)] = &[
            ("x", vec![], "empty"),
            ("x", vec![1, 2, 3], "only 3 bytes"),
            ("x", vec![0xff; 32], "header would be"),
            ("x", file(good, &[])[..30].to_vec(), "is truncated or no safetensors"),
            ("x", with(good, 7), "is truncated: 8 bytes of tensors are announced, 7 follow"),
            ("x", with(good, 9), "1 bytes belong to no tensor"),
            ("x", with("{\"a\"", 0), "not JSON"),
            ("x", with("[1]", 0), "not JSON"),
            ("x", with(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8), "take 8"),
            ("x", with(r#"{"a":{"dtype":"F7","shape":[3],"data_offsets":[0,8]}}"#, 8), "F7"),
            ("x", with(r#"{"a":{"dtype":"U8","shape":[-3],"data_offsets":[0,8]}}"#, 8), "no shape"),
            ("x", with(r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}}"#, 8), "no place"),
            (
                "x",
                with(r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[1,9]}}"#, 9),
                "begins at byte 1",
            ),
            (
                "x",
                with(
                    r#"{"a":{"dtype":"U8","shape":[9223372036854775807,9],"data_offsets":[0,8]}}"#,
                    8,
                ),
                "does not take",
            ),
            ("x", with(r#"{"__metadata__":{"a":1}}"#, 0), "texts to texts"),
            ("m.pt", b"PK\x03\x04rest of the zip".to_vec(), "Python's torch.save"),
            ("m.pt", b"\x80\x02}q\x00.1234567".to_vec(), "Python's torch.save"),
        ];
        for (name, bytes, expected) in cases {
            let error = open(name, bytes).err().expect(expected);
            assert!(error.message.contains(expected), "{error} should say {expected}");
        }
    }
}
