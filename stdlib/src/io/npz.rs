//! NumPy's archives of arrays: ZIP files whose members are `.npy` files.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use flambeau_runtime::error::{Error, Result};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy;
use super::raw::RawTensor;

/// Reads all arrays of an archive, in the order of its directory.
///
/// # Errors
/// An `IoError` that names the file, and the array where one is broken.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, RawTensor)>> {
    let (file, length) = super::files::open(path)?;
    if length == 0 {
        return Err(Error::io(path, "the file is empty"));
    }
    let mut archive = ZipArchive::new(file).map_err(|error| broken(path, &error))?;
    let mut arrays = Vec::with_capacity(archive.len());
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).map_err(|error| broken(path, &error))?;
        let name = member.name().to_owned();
        let Some(key) = name.strip_suffix(".npy") else {
            return Err(Error::io(path, format!("holds '{name}', which is no array (.npy)")));
        };
        // The size is what the archive claims: it only bounds how much is read.
        let claimed = member.size();
        let mut bytes = Vec::new();
        member
            .by_ref()
            .take(claimed)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(path, format!("array '{key}' is damaged: {error}")))?;
        let array = npy::parse(&bytes)
            .map_err(|cause| Error::io(path, format!("array '{key}' {cause}")))?;
        arrays.push((key.to_owned(), array));
    }
    Ok(arrays)
}

fn broken(path: &Path, error: &ZipError) -> Error {
    match error {
        ZipError::Io(error) => super::files::explain(path, error),
        ZipError::InvalidArchive(cause) => {
            Error::io(path, format!("is no NPZ file, or is truncated: {cause}"))
        }
        other => Error::io(path, other),
    }
}

/// The bytes of an archive, as `numpy.savez` (or, compressed, `numpy.savez_compressed`) makes it.
/// The same arrays give the same bytes: no time of day goes in.
///
/// # Errors
/// A `TypeError` that names the array for dtypes that NumPy does not have.
pub(crate) fn serialise(arrays: &[(String, RawTensor)], compressed: bool) -> Result<Vec<u8>> {
    let method = if compressed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let failed = |error: ZipError| Error::value(format!("the archive cannot be made: {error}"));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (key, array) in arrays {
        let bytes = npy::serialise(array).map_err(|mut error| {
            error.message = format!("array '{key}': {}", error.message);
            error
        })?;
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(bytes.len() >= u32::MAX as usize);
        writer.start_file(format!("{key}.npy"), options).map_err(failed)?;
        writer.write_all(&bytes).map_err(|error| failed(error.into()))?;
    }
    Ok(writer.finish().map_err(failed)?.into_inner())
}

#[cfg(test)]
mod tests {
    use flambeau_runtime::torch::Dtype;

    use super::*;

    fn arrays() -> Vec<(String, RawTensor)> {
        let x = RawTensor { dtype: Dtype::FLOAT32, shape: vec![2], bytes: vec![0; 8] };
        let y = RawTensor { dtype: Dtype::BOOL, shape: vec![], bytes: vec![1] };
        vec![("x".to_owned(), x), ("y".to_owned(), y)]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.npz");
        for compressed in [false, true] {
            let bytes = serialise(&arrays(), compressed).expect("written");
            assert_eq!(bytes, serialise(&arrays(), compressed).expect("the same again"));
            std::fs::write(&path, bytes).expect("on disk");
            assert_eq!(read(&path).expect("read"), arrays());
        }
    }

    #[test]
    fn bad_archives_say_what_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bad.npz");
        let good = serialise(&arrays(), true).expect("written");
        let mut flipped = good.clone();
        let data = good.windows(6).position(|w| w == b"x.npy\x63" || w[..5] == *b"x.npy");
        flipped[data.expect("a member") + 9] ^= 0x55;
        let text = {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            writer.start_file("note.txt", SimpleFileOptions::default()).expect("a member");
            writer.finish().expect("an archive").into_inner()
        };
        let cases: [(&[u8], &str); 5] = [
            (b"", "empty"),
            (b"hello", "is no NPZ file"),
            (&good[..good.len() - 30], "is no NPZ file, or is truncated"),
            (&flipped, "array 'x'"),
            (&text, "no array"),
        ];
        for (bytes, expected) in cases {
            std::fs::write(&path, bytes).expect("on disk");
            let error = read(&path).expect_err(expected);
            assert!(error.message.contains(expected), "{error} should say {expected}");
            assert!(error.message.contains("bad.npz"), "{error}");
        }
    }
}
