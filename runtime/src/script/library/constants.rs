//! `torch.float32`, `torch.pi`, `torch.newaxis` and their kin.

use rhai::Dynamic;

use crate::script::function::Constant;
use crate::script::index::NewAxis;
use crate::torch::{Dtype, Layout, MemoryFormat};

macro_rules! dtypes {
    ($($name:literal $code:literal,)*) => {
        &[$(Constant {
            name: concat!("torch.", $name),
            doc: "A dtype. <https://pytorch.org/docs/stable/tensor_attributes.html>",
            value: || Dynamic::from(Dtype($code)),
        },)*]
    };
}

const DTYPES: &[Constant] = dtypes! {
    "uint8" 0, "int8" 1, "int16" 2, "short" 2, "int32" 3, "int" 3, "int64" 4, "long" 4,
    "float16" 5, "half" 5, "float32" 6, "float" 6, "float64" 7, "double" 7,
    "complex32" 8, "chalf" 8, "complex64" 9, "cfloat" 9, "complex128" 10, "cdouble" 10,
    "bool" 11, "qint8" 12, "quint8" 13, "qint32" 14, "bfloat16" 15, "quint4x2" 16, "quint2x4" 17,
    "float8_e5m2" 23, "float8_e4m3fn" 24, "float8_e5m2fnuz" 25, "float8_e4m3fnuz" 26,
    "uint16" 27, "uint32" 28, "uint64" 29, "float8_e8m0fnu" 44,
};

macro_rules! numbered {
    ($ty:ident, $doc:literal, $($name:literal $code:literal,)*) => {
        &[$(Constant {
            name: concat!("torch.", $name),
            doc: $doc,
            value: || Dynamic::from($ty($code)),
        },)*]
    };
}

const LAYOUTS: &[Constant] = numbered! {
    Layout, "A memory layout of tensors.",
    "strided" 0, "sparse_coo" 1, "sparse_csr" 2, "sparse_csc" 4, "sparse_bsr" 5, "sparse_bsc" 6,
    "jagged" 7,
};

const FORMATS: &[Constant] = numbered! {
    MemoryFormat, "The order of dimensions in memory.",
    "contiguous_format" 0, "preserve_format" 1, "channels_last" 2, "channels_last_3d" 3,
};

macro_rules! floats {
    ($($name:literal $value:expr, $doc:literal;)*) => {
        &[$(Constant { name: $name, doc: $doc, value: || Dynamic::from_float($value) },)*]
    };
}

const NUMBERS: &[Constant] = floats! {
    "torch.pi" std::f64::consts::PI, "The circle's circumference over its diameter.";
    "torch.e" std::f64::consts::E, "Euler's number.";
    "torch.inf" f64::INFINITY, "Positive infinity.";
    "torch.nan" f64::NAN, "Not a number.";
};

const OTHERS: &[Constant] = &[
    Constant {
        name: "torch.newaxis",
        doc: "In an index: a new dimension of size 1, `x[[(), torch.newaxis]]`.",
        value: || Dynamic::from(NewAxis),
    },
    Constant {
        name: "torch.__version__",
        doc: "The version of libtorch.",
        value: || Dynamic::from("2.11.0"),
    },
];

const fn joined<const N: usize>(parts: &[&[Constant]]) -> [Constant; N] {
    let mut all = [OTHERS[0]; N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    all
}

const COUNT: usize = DTYPES.len() + LAYOUTS.len() + FORMATS.len() + NUMBERS.len() + OTHERS.len();

/// All constants of `torch`.
pub(super) const CONSTANTS: &[Constant] =
    &joined::<COUNT>(&[DTYPES, LAYOUTS, FORMATS, NUMBERS, OTHERS]);
