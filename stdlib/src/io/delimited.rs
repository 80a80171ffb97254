//! Rows of delimited text (CSV, TSV), plain or gzipped, with the line that each row begins on.
//!
//! The format is RFC 4180's, as pandas and spreadsheets write it: cells in double quotes may hold
//! delimiters, line ends and doubled quotes. Blank lines are skipped. The lines are counted here
//! and not by the `csv` crate, which counts the blank lines and comments before a row as part of
//! it.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flambeau_runtime::error::{Error, Result};
use flate2::bufread::MultiGzDecoder;

use super::files;

/// How a file is read.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    /// Whether the first row names the columns; `None`: it does if a cell of it is no number.
    pub header: Option<bool>,
    /// What stands between cells.
    pub delimiter: u8,
    /// Lines that begin with this are skipped.
    pub comment: Option<u8>,
    /// How many lines to skip at the start.
    pub skip_rows: usize,
    /// How many rows of data to read at most.
    pub max_rows: usize,
}

impl Default for Format {
    fn default() -> Self {
        Format { header: None, delimiter: b',', comment: None, skip_rows: 0, max_rows: usize::MAX }
    }
}

/// The cells of one row, without quotes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The line that the row begins on, from 1.
    pub line: u64,
}

impl Row {
    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Cell `i`, empty where there is none.
    pub fn cell(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(0) };
        self.ends.get(i).map_or(&[], |&end| &self.text[start..end])
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.cell(i))
    }

    fn end_cell(&mut self) {
        self.ends.push(self.text.len());
    }
}

/// A text file, row by row. All rows have as many cells as the first one.
pub(crate) struct Rows {
    path: PathBuf,
    source: Box<dyn BufRead>,
    format: Format,
    /// A first row that turned out to be data.
    pending: bool,
    row: Row,
    left: usize,
    line: u64,
    buffer: Vec<u8>,
    /// The names of the columns, where the file has them.
    pub header: Option<Vec<String>>,
    /// Cells in every row.
    pub width: usize,
}

impl Rows {
    /// Opens a file, which may be gzipped: its first bytes tell, not its name.
    ///
    /// # Errors
    /// An `IoError` for a file that cannot be read; a `ValueError` for one without a row.
    pub fn open(path: &Path, format: &Format) -> Result<Rows> {
        let (file, _) = files::open(path)?;
        let mut plain = BufReader::with_capacity(1 << 16, file);
        let start = plain.fill_buf().map_err(|error| files::explain(path, &error))?;
        if start.is_empty() {
            return Err(Error::io(path, "the file is empty"));
        }
        let source: Box<dyn BufRead> = if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        let mut rows = Rows {
            path: path.to_owned(),
            source,
            format: format.clone(),
            pending: false,
            row: Row::default(),
            left: format.max_rows,
            line: 0,
            buffer: Vec::new(),
            header: None,
            width: 0,
        };
        for _ in 0..format.skip_rows {
            rows.read_line()?;
        }
        if !rows.advance()? {
            return Err(Error::value(format!("{}: the file has no rows", path.display())));
        }
        rows.width = rows.row.len();
        let is_header = |row: &Row| row.cells().any(|cell| !looks_numeric(cell));
        if format.header.unwrap_or_else(|| is_header(&rows.row)) {
            let mut names = Vec::with_capacity(rows.width);
            for i in 0..rows.width {
                names.push(rows.text(i)?.trim().to_owned());
            }
            rows.header = Some(names);
        } else {
            rows.pending = true;
        }
        Ok(rows)
    }

    /// Moves to the next row of data; `false` at the end.
    ///
    /// # Errors
    /// A `ValueError` that names the line of a row with another number of cells; an `IoError` for a
    /// damaged or truncated file.
    pub fn next(&mut self) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        if !std::mem::take(&mut self.pending) && !self.advance()? {
            return Ok(false);
        }
        if self.row.len() != self.width {
            let cells =
                if self.row.len() == 1 { "1 cell" } else { &format!("{} cells", self.row.len()) };
            return Err(self.error(format!("{cells}, where the first row has {}", self.width)));
        }
        Ok(true)
    }

    /// Cell `i` of the current row as text.
    ///
    /// # Errors
    /// A `ValueError` that names line and column for text that is not UTF-8.
    pub fn text(&self, i: usize) -> Result<&str> {
        std::str::from_utf8(self.row.cell(i))
            .map_err(|_| self.cell_error(i, "is not UTF-8 text".to_owned()))
    }

    /// A `ValueError` that names the file and the current line.
    pub fn error(&self, cause: String) -> Error {
        Error::value(format!("{}, line {}: {cause}", self.path.display(), self.row.line))
    }

    /// A `ValueError` that names the file, the current line and column `i`.
    pub fn cell_error(&self, i: usize, cause: String) -> Error {
        let column = match self.header.as_ref().and_then(|names| names.get(i)) {
            Some(name) if !name.is_empty() => format!("column {} ('{name}')", i + 1),
            _ => format!("column {}", i + 1),
        };
        self.error(format!("{column} {cause}"))
    }

    /// The file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the next line to the buffer; `false` at the end of the file.
    fn read_line(&mut self) -> Result<bool> {
        let start = self.buffer.len();
        let read = self.source.read_until(b'\n', &mut self.buffer);
        if read.map_err(|error| broken(&self.path, self.line, &error))? == 0 {
            return Ok(false);
        }
        if self.line == 0 && self.buffer[start..].starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(start..start + 3);
        }
        self.line += 1;
        Ok(true)
    }

    /// Reads one row, skipping blank lines and comments; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        self.row.text.clear();
        self.row.ends.clear();
        loop {
            self.buffer.clear();
            if !self.read_line()? {
                return Ok(false);
            }
            let line = trim_end(&self.buffer);
            if line.is_empty() || line.first().copied() == self.format.comment {
                continue;
            }
            self.row.line = self.line;
            if line.contains(&b'"') {
                self.split_quoted()?;
            } else {
                for cell in line.split(|&byte| byte == self.format.delimiter) {
                    self.row.text.extend_from_slice(cell);
                    self.row.end_cell();
                }
            }
            return Ok(true);
        }
    }

    /// Splits the buffer where a cell may be quoted; a quoted line end takes in the next line.
    fn split_quoted(&mut self) -> Result<()> {
        let (mut i, mut quoted, mut cell_start) = (0, false, true);
        loop {
            let end = if quoted { self.buffer.len() } else { trim_end(&self.buffer).len() };
            if i >= end {
                if !quoted {
                    self.row.end_cell();
                    return Ok(());
                }
                if !self.read_line()? {
                    return Err(self.error("a quoted cell does not end".to_owned()));
                }
                continue;
            }
            let byte = self.buffer[i];
            match byte {
                b'"' if quoted && self.buffer.get(i + 1) == Some(&b'"') => {
                    self.row.text.push(b'"');
                    i += 1;
                }
                b'"' if quoted => quoted = false,
                b'"' if cell_start => quoted = true,
                _ if byte == self.format.delimiter && !quoted => {
                    self.row.end_cell();
                    (i, cell_start) = (i + 1, true);
                    continue;
                }
                _ => self.row.text.push(byte),
            }
            cell_start = false;
            i += 1;
        }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn broken(path: &Path, line: u64, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::io(path, format!("is truncated: the gzip data end after line {line}"))
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Error::io(path, format!("is damaged: gzip, after line {line}: {error}"))
        }
        _ => files::explain(path, error),
    }
}

/// Whether a cell can be a number: an empty cell can (a missing one).
pub(crate) fn looks_numeric(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|text| {
        let text = text.trim();
        text.is_empty() || text.parse::<f64>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Rows as `line: cell|cell`, or the error.
    fn read(bytes: &[u8], format: &Format) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.csv");
        std::fs::write(&path, bytes).expect("written");
        let mut out = Vec::new();
        let mut run = || -> Result<()> {
            let mut rows = Rows::open(&path, format)?;
            if let Some(names) = &rows.header {
                out.push(format!("header: {}", names.join("|")));
            }
            while rows.next()? {
                let cells: Vec<_> =
                    rows.row.cells().map(|cell| String::from_utf8_lossy(cell)).collect();
                out.push(format!("{}: {}", rows.row.line, cells.join("|")));
            }
            Ok(())
        };
        run().map_err(|error| error.message.replace(&path.display().to_string(), "x.csv"))?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("compressed");
        encoder.finish().expect("compressed")
    }

    #[test]
    fn rows_know_their_lines_and_headers_are_found() {
        let text = "\u{feff}a,b\n\n# note\n1,2\r\n\r\n\"x\ny\",\"say \"\"hi\"\"\"\n5,";
        let format = Format { comment: Some(b'#'), ..Format::default() };
        let expected = ["header: a|b", "4: 1|2", "6: x\ny|say \"hi\"", "8: 5|"];
        assert_eq!(read(text.as_bytes(), &format).expect("rows"), expected);
        assert_eq!(read(&gzip(text.as_bytes()), &format).expect("rows"), expected);
        let plain = Format::default();
        assert_eq!(read(b"1,2\n3,4\n", &plain).expect("rows"), ["1: 1|2", "2: 3|4"]);
        assert_eq!(read(b"nan,inf\n", &plain).expect("rows"), ["1: nan|inf"]);
        let header = Format { header: Some(true), skip_rows: 1, max_rows: 1, ..plain.clone() };
        let rows = read(b"title\n1,2\n3,4\n5,6\n", &header).expect("rows");
        assert_eq!(rows, ["header: 1|2", "3: 3|4"]);
        let none = Format { header: Some(false), delimiter: b'\t', ..plain };
        assert_eq!(read(b"a\tb, c\n", &none).expect("rows"), ["1: a|b, c"]);
    }

    #[test]
    fn bad_files_say_the_line() {
        let format = Format::default();
        let whole = gzip("1,2\n".repeat(100_000).as_bytes());
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let cases: &[(&[u8], &str)] = &[
            (b"", "x.csv: the file is empty"),
            (b"\n\n", "x.csv: the file has no rows"),
            (&gzip(b""), "x.csv: the file has no rows"),
            (b"1,2\n\n3,4,5\n", "x.csv, line 3: 3 cells, where the first row has 2"),
            (b"1,2\n3\n", "x.csv, line 2: 1 cell, where the first row has 2"),
            (b"1,2\n\"3,4\n5,6\n", "x.csv, line 2: a quoted cell does not end"),
            (&whole[..whole.len() - 9], "x.csv: is truncated: the gzip data end after line"),
            (&whole[..3], "x.csv: is truncated: the gzip data end after line 0"),
            (&damaged, "x.csv: is damaged: gzip, after line"),
            (b"a,\xff\n1,2\n", "x.csv, line 1: column 2 is not UTF-8 text"),
        ];
        for (bytes, expected) in cases {
            let error = read(bytes, &format).expect_err(expected);
            assert!(error.starts_with(expected), "{error:?} should begin with {expected:?}");
        }
    }
}
