//! NumPy's array files: the format's versions 1 to 3.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::torch::Dtype;

use super::raw::{RawTensor, byte_len, from_column_major, swap_bytes};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The data of an array begins at a multiple of this.
const ALIGN: usize = 64;
/// NumPy leaves room for the first size to grow to this many digits.
const GROWTH: usize = 21;

/// dtype, NumPy's type code, and the width of one number (a complex element holds two).
const DTYPES: &[(Dtype, &str, usize)] = &[
    (Dtype::BOOL, "b1", 1),
    (Dtype::UINT8, "u1", 1),
    (Dtype::INT8, "i1", 1),
    (Dtype::INT16, "i2", 2),
    (Dtype::INT32, "i4", 4),
    (Dtype::INT64, "i8", 8),
    (Dtype(27), "u2", 2),
    (Dtype(28), "u4", 4),
    (Dtype(29), "u8", 8),
    (Dtype::FLOAT16, "f2", 2),
    (Dtype::FLOAT32, "f4", 4),
    (Dtype::FLOAT64, "f8", 8),
    (Dtype::COMPLEX64, "c8", 4),
    (Dtype::COMPLEX128, "c16", 8),
];

/// What the header of an array says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<i64>,
}

/// Reads an array from the bytes of a `.npy` file.
///
/// # Errors
/// In words, without the path: what is wrong with the bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<RawTensor, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if !bytes.starts_with(MAGIC) {
        return Err("is no NPY file: it does not begin with \\x93NUMPY".to_owned());
    }
    let short = || "the file ends inside its header".to_owned();
    let major = *bytes.get(6).ok_or_else(short)?;
    let (length, start): (usize, usize) = match major {
        1 => {
            let size = bytes.get(8..10).ok_or_else(short)?;
            (usize::from(u16::from_le_bytes([size[0], size[1]])), 10)
        }
        2 | 3 => {
            let size = bytes.get(8..12).ok_or_else(short)?;
            (u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize, 12)
        }
        other => return Err(format!("has NPY version {other}; versions 1 to 3 are read")),
    };
    let text = bytes.get(start..start.saturating_add(length)).ok_or_else(short)?;
    let text = String::from_utf8_lossy(text);
    let header = Literal::new(&text).header()?;
    let (dtype, width, big_endian) = element(&header.descr)?;
    let data = &bytes[start + length..];
    let expected = byte_len(dtype, &header.shape)
        .ok_or_else(|| format!("has a shape that cannot be: {:?}", header.shape))?;
    let Some(data) = data.get(..expected) else {
        return Err(format!(
            "is truncated: shape {:?} of {} needs {expected} bytes, the file holds {}",
            header.shape,
            dtype.name(),
            data.len()
        ));
    };
    let mut data = if header.fortran_order {
        from_column_major(data, &header.shape, dtype.itemsize())
    } else {
        data.to_vec()
    };
    if big_endian != cfg!(target_endian = "big") {
        swap_bytes(&mut data, width);
    }
    Ok(RawTensor { dtype, shape: header.shape, bytes: data })
}

/// dtype, width of one number, and whether it is big-endian.
fn element(descr: &str) -> Result<(Dtype, usize, bool), String> {
    let (order, code) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, &descr[1..]),
        _ => ('=', descr),
    };
    match DTYPES.iter().find(|(_, known, _)| *known == code) {
        Some(&(dtype, _, width)) => {
            Ok((dtype, width, order == '>' || (order == '=' && cfg!(target_endian = "big"))))
        }
        None => Err(match code.chars().next() {
            Some('O') => "holds pickled Python objects, which are not read".to_owned(),
            Some('U' | 'S') => format!("holds text (dtype '{descr}'), not numbers"),
            Some('M' | 'm') => {
                format!("holds dates (dtype '{descr}'); save them as integers: a.astype('i8')")
            }
            _ => format!("has dtype '{descr}', for which there is no torch dtype"),
        }),
    }
}

/// The bytes of a `.npy` file, the same ones that `numpy.save` writes.
///
/// # Errors
/// A `TypeError` for dtypes that NumPy does not have, such as bfloat16.
pub(crate) fn serialise(tensor: &RawTensor) -> Result<Vec<u8>> {
    let Some(&(_, code, width)) = DTYPES.iter().find(|(dtype, ..)| *dtype == tensor.dtype) else {
        return Err(Error::type_(format!("NumPy has no dtype for {}", tensor.dtype)).help(
            "convert the tensor first, for example x.float(), or use data.write_safetensors",
        ));
    };
    let order = match (width, cfg!(target_endian = "big")) {
        (1, _) => '|',
        (_, true) => '>',
        (_, false) => '<',
    };
    let sizes: Vec<String> = tensor.shape.iter().map(i64::to_string).collect();
    let shape = match sizes.as_slice() {
        [one] => format!("({one},)"),
        several => format!("({})", several.join(", ")),
    };
    let mut header =
        format!("{{'descr': '{order}{code}', 'fortran_order': False, 'shape': {shape}, }}");
    if let Some(first) = sizes.first() {
        header.push_str(&" ".repeat(GROWTH.saturating_sub(first.len())));
    }
    let long = MAGIC.len() + 4 + header.len() + 1 + ALIGN > usize::from(u16::MAX);
    let prefix = MAGIC.len() + if long { 6 } else { 4 };
    header.push_str(&" ".repeat(ALIGN - (prefix + header.len() + 1) % ALIGN));
    header.push('\n');
    let mut out = Vec::with_capacity(prefix + header.len() + tensor.bytes.len());
    out.extend_from_slice(MAGIC);
    if long {
        out.extend_from_slice(&[2, 0]);
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
    } else {
        out.extend_from_slice(&[1, 0]);
        out.extend_from_slice(&(header.len() as u16).to_le_bytes());
    }
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(&tensor.bytes);
    Ok(out)
}

/// A reader of the Python dictionary in the header.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    fn new(text: &'a str) -> Self {
        Literal { rest: text }
    }

    fn header(mut self) -> Result<Header, String> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.eat("}") {
            let key = self.string()?;
            self.expect(":")?;
            match key {
                "descr" if self.peek('[') => {
                    return Err(
                        "holds records (a structured dtype), which no tensor can hold".to_owned()
                    );
                }
                "descr" => descr = Some(self.string()?.to_owned()),
                "fortran_order" => fortran_order = Some(self.bool()?),
                "shape" => shape = Some(self.tuple()?),
                other => return Err(format!("has an unknown header entry '{other}'")),
            }
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => {
                Ok(Header { descr, fortran_order, shape })
            }
            _ => Err("has a header without 'descr', 'fortran_order' or 'shape'".to_owned()),
        }
    }

    fn peek(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(c)
    }

    fn eat(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.eat(word) {
            Ok(())
        } else {
            Err(format!("has a broken header: '{word}' is missing"))
        }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        for quote in ["'", "\""] {
            if self.eat(quote) {
                let (text, rest) = self
                    .rest
                    .split_once(quote)
                    .ok_or("has a broken header: a text does not end")?;
                self.rest = rest;
                return Ok(text);
            }
        }
        Err("has a broken header: a quoted text is missing".to_owned())
    }

    fn bool(&mut self) -> Result<bool, String> {
        if self.eat("True") {
            Ok(true)
        } else if self.eat("False") {
            Ok(false)
        } else {
            Err("has a broken header: 'fortran_order' is neither True nor False".to_owned())
        }
    }

    fn tuple(&mut self) -> Result<Vec<i64>, String> {
        self.expect("(")?;
        let mut sizes = Vec::new();
        while !self.eat(")") {
            self.rest = self.rest.trim_start();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let size = self.rest[..end]
                .parse()
                .map_err(|_| "has a broken header: 'shape' is no tuple of sizes".to_owned())?;
            sizes.push(size);
            self.rest = &self.rest[end..];
            // Python 2 wrote long integers as `3L`.
            self.eat("L");
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([major, 0]);
        match major {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn all_versions_orders_and_endians_are_read() {
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }\n";
        for major in 1..=3 {
            let read = parse(&file(major, header, &[0, 1, 0, 3, 0, 2, 0, 4])).expect("an array");
            assert_eq!(read.dtype, Dtype::INT16);
            assert_eq!(read.shape, [2, 2]);
            let values: Vec<i16> =
                read.bytes.chunks(2).map(|b| i16::from_ne_bytes([b[0], b[1]])).collect();
            assert_eq!(values, [1, 2, 3, 4]);
        }
        let scalar = "{\"shape\": (), 'fortran_order': False, 'descr': '|u1'}";
        assert_eq!(parse(&file(1, scalar, &[7])).expect("a scalar").bytes, [7]);
        let long = "{'descr': '<u1', 'fortran_order': False, 'shape': (3L,)}";
        assert_eq!(parse(&file(1, long, &[1, 2, 3])).expect("python 2").shape, [3]);
    }

    #[test]
    fn complex_numbers_swap_their_halves_apart() {
        let header = "{'descr': '>c8', 'fortran_order': False, 'shape': (1,)}";
        let mut data = 1.5f32.to_be_bytes().to_vec();
        data.extend((-2.0f32).to_be_bytes());
        let read = parse(&file(1, header, &data)).expect("complex");
        assert_eq!(read.bytes[..4], 1.5f32.to_ne_bytes());
        assert_eq!(read.bytes[4..], (-2.0f32).to_ne_bytes());
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n";
        let entry = |descr: &str| {
            file(
                1,
                &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}"),
                &[0; 16],
            )
        };
        let cases: &[(Vec<u8>, &str)] = &[
            (Vec::new(), "empty"),
            (b"PK\x03\x04".to_vec(), "is no NPY file"),
            (MAGIC.to_vec(), "ends inside its header"),
            (file(1, good, &[])[..40].to_vec(), "ends inside its header"),
            (file(1, good, &[0; 23]), "needs 24 bytes, the file holds 23"),
            (file(4, good, &[0; 24]), "version 4"),
            (file(1, "{'descr': '<f4'}", &[]), "without"),
            (file(1, "{'descr': '<f4', 'fortran_order': 1, 'shape': ()}", &[]), "fortran_order"),
            (file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", &[]), "no tuple"),
            (
                file(
                    1,
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999999,)}",
                    &[],
                ),
                "no tuple",
            ),
            (
                file(
                    1,
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9)}",
                    &[],
                ),
                "cannot be",
            ),
            (file(1, "{'descr': '<f4", &[]), "does not end"),
            (file(1, "{'x': 1}", &[]), "unknown header entry"),
            (file(1, "no dict", &[]), "broken header"),
            (entry("'|O'"), "pickled"),
            (entry("'<U3'"), "text"),
            (entry("'<M8[ns]'"), "dates"),
            (entry("'<f16'"), "no torch dtype"),
            (entry("[('a', '<f4')]"), "records"),
        ];
        for (bytes, expected) in cases {
            let error = parse(bytes).expect_err(expected);
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_aligned() {
        for (dtype, ..) in DTYPES {
            let bytes: Vec<u8> = (0..6 * dtype.itemsize() as u8).map(|b| b % 2).collect();
            let tensor = RawTensor { dtype: *dtype, shape: vec![2, 3], bytes };
            let file = serialise(&tensor).expect("written");
            assert_eq!((file.len() - tensor.bytes.len()) % ALIGN, 0);
            assert_eq!(parse(&file).expect("read"), tensor);
        }
        let tensor = RawTensor { dtype: Dtype::BFLOAT16, shape: vec![], bytes: vec![0, 0] };
        assert!(serialise(&tensor).expect_err("no such dtype").message.contains("bfloat16"));
    }
}
