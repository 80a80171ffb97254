//! dtypes, devices, layouts and memory formats, numbered as libtorch numbers them.

use std::fmt;

use crate::error::{Error, Kind, Result};

/// An element type, by the number that `c10::ScalarType` gives it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Dtype(pub i8);

/// Number, PyTorch's name, and bytes of an element.
const DTYPES: &[(i8, &str, usize)] = &[
    (0, "uint8", 1),
    (1, "int8", 1),
    (2, "int16", 2),
    (3, "int32", 4),
    (4, "int64", 8),
    (5, "float16", 2),
    (6, "float32", 4),
    (7, "float64", 8),
    (8, "complex32", 4),
    (9, "complex64", 8),
    (10, "complex128", 16),
    (11, "bool", 1),
    (12, "qint8", 1),
    (13, "quint8", 1),
    (14, "qint32", 4),
    (15, "bfloat16", 2),
    (16, "quint4x2", 1),
    (17, "quint2x4", 1),
    (23, "float8_e5m2", 1),
    (24, "float8_e4m3fn", 1),
    (25, "float8_e5m2fnuz", 1),
    (26, "float8_e4m3fnuz", 1),
    (27, "uint16", 2),
    (28, "uint32", 4),
    (29, "uint64", 8),
    (44, "float8_e8m0fnu", 1),
    (45, "float4_e2m1fn_x2", 1),
];

/// Second names that PyTorch gives to dtypes.
pub const DTYPE_ALIASES: &[(&str, &str)] = &[
    ("half", "float16"),
    ("float", "float32"),
    ("double", "float64"),
    ("short", "int16"),
    ("int", "int32"),
    ("long", "int64"),
    ("cfloat", "complex64"),
    ("cdouble", "complex128"),
    ("chalf", "complex32"),
];

#[allow(missing_docs)]
impl Dtype {
    pub const UINT8: Dtype = Dtype(0);
    pub const INT8: Dtype = Dtype(1);
    pub const INT16: Dtype = Dtype(2);
    pub const INT32: Dtype = Dtype(3);
    pub const INT64: Dtype = Dtype(4);
    pub const FLOAT16: Dtype = Dtype(5);
    pub const FLOAT32: Dtype = Dtype(6);
    pub const FLOAT64: Dtype = Dtype(7);
    pub const COMPLEX64: Dtype = Dtype(9);
    pub const COMPLEX128: Dtype = Dtype(10);
    pub const BOOL: Dtype = Dtype(11);
    pub const BFLOAT16: Dtype = Dtype(15);
}

impl Dtype {
    /// Every dtype that has a name.
    pub fn all() -> impl Iterator<Item = Dtype> {
        DTYPES.iter().map(|&(code, ..)| Dtype(code))
    }

    /// By PyTorch's name or second name, such as `float32` or `float`.
    pub fn parse(name: &str) -> Option<Dtype> {
        let name = DTYPE_ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, canonical)| canonical);
        DTYPES.iter().find(|(_, known, _)| *known == name).map(|&(code, ..)| Dtype(code))
    }

    /// PyTorch's name without `torch.`, such as `float32`.
    pub fn name(self) -> &'static str {
        DTYPES.iter().find(|(code, ..)| *code == self.0).map_or("undefined", |(_, name, _)| name)
    }

    /// Bytes of one element.
    pub fn itemsize(self) -> usize {
        DTYPES.iter().find(|(code, ..)| *code == self.0).map_or(0, |&(_, _, size)| size)
    }

    /// Whether elements are real floating-point numbers.
    pub fn is_floating_point(self) -> bool {
        matches!(self.0, 5..=7 | 15 | 23..=26 | 44 | 45)
    }

    /// Whether elements are complex.
    pub fn is_complex(self) -> bool {
        matches!(self.0, 8..=10)
    }

    /// The same in tch's words.
    ///
    /// # Errors
    /// A `TypeError` for the dtypes that tch has no name for.
    pub fn kind(self) -> Result<tch::Kind> {
        use tch::Kind as K;
        Ok(match self.0 {
            0 => K::Uint8,
            1 => K::Int8,
            2 => K::Int16,
            3 => K::Int,
            4 => K::Int64,
            5 => K::Half,
            6 => K::Float,
            7 => K::Double,
            8 => K::ComplexHalf,
            9 => K::ComplexFloat,
            10 => K::ComplexDouble,
            11 => K::Bool,
            15 => K::BFloat16,
            _ => {
                return Err(Error::type_(format!("torch.{} is not supported here", self.name())));
            }
        })
    }
}

impl From<tch::Kind> for Dtype {
    fn from(kind: tch::Kind) -> Self {
        use tch::Kind as K;
        Dtype(match kind {
            K::Uint8 => 0,
            K::Int8 => 1,
            K::Int16 => 2,
            K::Int => 3,
            K::Int64 => 4,
            K::Half => 5,
            K::Float => 6,
            K::Double => 7,
            K::ComplexHalf => 8,
            K::ComplexFloat => 9,
            K::ComplexDouble => 10,
            K::Bool => 11,
            K::QInt8 => 12,
            K::QUInt8 => 13,
            K::QInt32 => 14,
            K::BFloat16 => 15,
            K::Float8e5m2 => 23,
            K::Float8e4m3fn => 24,
            K::Float8e5m2fnuz => 25,
            K::Float8e4m3fnuz => 26,
            #[allow(unreachable_patterns)]
            _ => 6,
        })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "torch.{}", self.name())
    }
}

/// A device: `c10::DeviceType` and index (`-1`: the current one).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Device {
    /// `c10::DeviceType`: 0 is the CPU, 1 is CUDA, 14 is meta.
    pub kind: i8,
    /// Which one; `-1` for the current one.
    pub index: i8,
}

/// The device types that PyTorch names.
const DEVICE_TYPES: &[(i8, &str)] = &[
    (0, "cpu"),
    (1, "cuda"),
    (2, "mkldnn"),
    (3, "opengl"),
    (4, "opencl"),
    (5, "ideep"),
    (6, "hip"),
    (7, "fpga"),
    (9, "xla"),
    (10, "vulkan"),
    (12, "xpu"),
    (13, "mps"),
    (14, "meta"),
    (15, "hpu"),
    (20, "privateuseone"),
];

impl Device {
    /// The CPU.
    pub const CPU: Device = Device { kind: 0, index: -1 };

    /// CUDA device `index`.
    pub fn cuda(index: i8) -> Device {
        Device { kind: 1, index }
    }

    /// Reads `cpu`, `cuda`, `cuda:1`, `meta`, …
    ///
    /// # Errors
    /// A `DeviceError` that names what is understood.
    pub fn parse(text: &str) -> Result<Device> {
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, index.parse::<i8>().ok().filter(|i| *i >= 0)),
            None => (text, Some(-1)),
        };
        let kind = DEVICE_TYPES.iter().find(|(_, known)| *known == name).map(|&(kind, _)| kind);
        match (kind, index) {
            (Some(kind), Some(index)) => Ok(Device { kind, index }),
            _ => Err(Error::new(Kind::Device, format!("'{text}' is not a device"))
                .help("devices are written \"cpu\", \"cuda\", \"cuda:1\" or \"meta\"")),
        }
    }

    /// The type's name, such as `cuda`.
    pub fn type_name(self) -> &'static str {
        DEVICE_TYPES.iter().find(|(kind, _)| *kind == self.kind).map_or("unknown", |(_, name)| name)
    }

    /// The same in tch's words.
    ///
    /// # Errors
    /// A `DeviceError` for devices that tch has no name for.
    pub fn tch(self) -> Result<tch::Device> {
        match self.kind {
            0 => Ok(tch::Device::Cpu),
            1 => Ok(tch::Device::Cuda(self.index.max(0) as usize)),
            _ => Err(Error::new(Kind::Device, format!("device '{self}' is not supported here"))),
        }
    }
}

impl From<tch::Device> for Device {
    fn from(device: tch::Device) -> Self {
        match device {
            tch::Device::Cuda(index) => Device { kind: 1, index: index as i8 },
            tch::Device::Mps => Device { kind: 13, index: -1 },
            tch::Device::Vulkan => Device { kind: 10, index: -1 },
            tch::Device::Cpu => Device::CPU,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())?;
        if self.index >= 0 {
            write!(f, ":{}", self.index)?;
        }
        Ok(())
    }
}

/// `torch.strided` and its siblings, by `c10::Layout`'s number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Layout(pub i8);

impl Layout {
    /// Numbers and names.
    pub const ALL: &'static [(i8, &'static str)] = &[
        (0, "strided"),
        (1, "sparse_coo"),
        (2, "sparse_csr"),
        (3, "_mkldnn"),
        (4, "sparse_csc"),
        (5, "sparse_bsr"),
        (6, "sparse_bsc"),
        (7, "jagged"),
    ];
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Layout::ALL.iter().find(|(code, _)| *code == self.0).map_or("?", |(_, n)| n);
        write!(f, "torch.{name}")
    }
}

/// `torch.contiguous_format` and its siblings, by `c10::MemoryFormat`'s number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryFormat(pub i8);

impl MemoryFormat {
    /// Numbers and names.
    pub const ALL: &'static [(i8, &'static str)] = &[
        (0, "contiguous_format"),
        (1, "preserve_format"),
        (2, "channels_last"),
        (3, "channels_last_3d"),
    ];
}

impl fmt::Display for MemoryFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            MemoryFormat::ALL.iter().find(|(code, _)| *code == self.0).map_or("?", |(_, n)| n);
        write!(f, "torch.{name}")
    }
}
