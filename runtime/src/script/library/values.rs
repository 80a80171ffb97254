//! Small values beside tensors: slices, complex numbers, devices, dtypes, errors.

use rhai::{Dynamic, ImmutableString};

use crate::error::{Error, Result};
use crate::script::Complex;
use crate::script::function::{Function, Property};
use crate::script::index::Slice;
use crate::torch::{Device, Dtype};

fn get<T: Clone + 'static>(value: &Dynamic, read: impl FnOnce(&T) -> Dynamic) -> Result<Dynamic> {
    Ok(value.read_lock::<T>().map_or(Dynamic::UNIT, |held| read(&held)))
}

fn text(text: impl Into<ImmutableString>) -> Dynamic {
    Dynamic::from(text.into())
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "slice(Any start=None, Any end=None, Any step=None) -> slice",
        doc: "Part of a dimension, as `start:end:step` in Python; `()` leaves a side open. With one \
              argument it is the start: `x[slice(1)]` is Python's `x[1:]`.",
        example: "let x = torch.arange(6);\nprint(x[slice(1, (), 2)]);",
        call: |args| {
            let (start, end) = (args.opt_int(0)?, args.opt_int(1)?);
            let step = args.opt_int(2)?.unwrap_or(1);
            if step < 1 {
                return Err(Error::value(format!(
                    "the step of a slice must be positive, not {step}"
                ))
                .help("torch.flip(x, [dim]) turns a dimension round"));
            }
            Ok(Dynamic::from(Slice { start, end, step }))
        },
    },
    Function {
        schema: "complex(float real, float imag=0.0) -> complex",
        doc: "A complex number.",
        example: "print(torch.tensor([complex(1.0, 2.0)]));",
        call: |args| Ok(Dynamic::from(Complex { re: args.float(0)?, im: args.float(1)? })),
    },
    Function {
        schema: "torch.device(Any type, int? index=None) -> Device",
        doc: "A device from its name, such as \"cpu\" or \"cuda:1\", or from its type and index.",
        example: "let device = torch.device(\"cpu\");",
        call: |args| {
            let device = match args.get(0).read_lock::<Device>() {
                Some(device) => *device,
                None => match args.opt_int(0) {
                    Ok(Some(index)) => Device::cuda(index.clamp(0, 127) as i8),
                    _ => Device::parse(&args.str(0)?)?,
                },
            };
            Ok(Dynamic::from(match args.opt_int(1)? {
                Some(index) => Device { index: index.clamp(0, 127) as i8, ..device },
                None => device,
            }))
        },
    },
    Function {
        schema: "dtype.to_real(dtype self) -> ScalarType",
        doc: "The dtype of the real part.",
        example: "print(torch.complex64.to_real());",
        call: |args| {
            let dtype = args.opt_dtype(0)?.ok_or_else(|| args.mismatch(0, "a dtype"))?;
            Ok(Dynamic::from(match dtype {
                Dtype(8) => Dtype::FLOAT16,
                Dtype::COMPLEX64 => Dtype::FLOAT32,
                Dtype::COMPLEX128 => Dtype::FLOAT64,
                other => other,
            }))
        },
    },
    Function {
        schema: "dtype.to_complex(dtype self) -> ScalarType",
        doc: "The complex dtype with this precision.",
        example: "print(torch.float64.to_complex());",
        call: |args| {
            let dtype = args.opt_dtype(0)?.ok_or_else(|| args.mismatch(0, "a dtype"))?;
            Ok(Dynamic::from(match dtype {
                Dtype::FLOAT16 => Dtype(8),
                Dtype::FLOAT64 => Dtype::COMPLEX128,
                other if other.is_complex() => other,
                _ => Dtype::COMPLEX64,
            }))
        },
    },
    Function {
        schema: "torch.finfo(ScalarType? dtype=None) -> Map",
        doc: "Limits of a float dtype: bits, dtype, eps, max, min, resolution, smallest_normal, tiny.",
        example: "print(torch.finfo(torch.float32).eps);",
        call: |args| {
            let dtype = args.opt_dtype(0)?.unwrap_or_else(crate::torch::default_dtype);
            let (eps, max, tiny, digits) = match dtype {
                Dtype::FLOAT16 => (2f64.powi(-10), 65504.0, 2f64.powi(-14), 3),
                Dtype::BFLOAT16 => (2f64.powi(-7), f64::from(half::bf16::MAX), 2f64.powi(-126), 2),
                Dtype::FLOAT32 | Dtype::COMPLEX64 => {
                    let tiny = f64::from(f32::MIN_POSITIVE);
                    (f64::from(f32::EPSILON), f64::from(f32::MAX), tiny, 6)
                }
                Dtype::FLOAT64 | Dtype::COMPLEX128 => {
                    (f64::EPSILON, f64::MAX, f64::MIN_POSITIVE, 15)
                }
                other => {
                    return Err(Error::type_(format!(
                        "torch.finfo() needs a float dtype, not {other}"
                    )));
                }
            };
            let mut map = rhai::Map::new();
            map.insert("bits".into(), Dynamic::from_int(dtype.itemsize() as i64 * 8));
            map.insert("eps".into(), Dynamic::from_float(eps));
            map.insert("max".into(), Dynamic::from_float(max));
            map.insert("min".into(), Dynamic::from_float(-max));
            map.insert("tiny".into(), Dynamic::from_float(tiny));
            map.insert("smallest_normal".into(), Dynamic::from_float(tiny));
            map.insert("resolution".into(), Dynamic::from_float(10f64.powi(-digits)));
            map.insert("dtype".into(), text(dtype.name()));
            Ok(Dynamic::from_map(map))
        },
    },
    Function {
        schema: "torch.iinfo(ScalarType dtype) -> Map",
        doc: "Limits of an integer dtype: bits, dtype, max, min.",
        example: "print(torch.iinfo(torch.int8).max);",
        call: |args| {
            let dtype = args.opt_dtype(0)?.ok_or_else(|| args.mismatch(0, "a dtype"))?;
            let (min, max) = match dtype {
                Dtype::UINT8 => (0, i64::from(u8::MAX)),
                Dtype::INT8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
                Dtype::INT16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
                Dtype::INT32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
                Dtype::INT64 => (i64::MIN, i64::MAX),
                other => {
                    return Err(Error::type_(format!(
                        "torch.iinfo() needs a signed integer dtype or uint8, not {other}"
                    )));
                }
            };
            let mut map = rhai::Map::new();
            map.insert("bits".into(), Dynamic::from_int(dtype.itemsize() as i64 * 8));
            map.insert("dtype".into(), text(dtype.name()));
            map.insert("max".into(), Dynamic::from_int(max));
            map.insert("min".into(), Dynamic::from_int(min));
            Ok(Dynamic::from_map(map))
        },
    },
];

pub(super) const PROPERTIES: &[Property] = &[
    Property {
        name: "complex.real",
        doc: "The real part.",
        get: |value, _| get::<Complex>(value, |z| Dynamic::from_float(z.re)),
        set: None,
    },
    Property {
        name: "complex.imag",
        doc: "The imaginary part.",
        get: |value, _| get::<Complex>(value, |z| Dynamic::from_float(z.im)),
        set: None,
    },
    Property {
        name: "device.type",
        doc: "The type, such as \"cuda\".",
        get: |value, _| get::<Device>(value, |device| text(device.type_name())),
        set: None,
    },
    Property {
        name: "device.index",
        doc: "Which one, or ().",
        get: |value, _| {
            get::<Device>(value, |device| match device.index {
                index if index < 0 => Dynamic::UNIT,
                index => Dynamic::from_int(i64::from(index)),
            })
        },
        set: None,
    },
    Property {
        name: "dtype.itemsize",
        doc: "Bytes of an element.",
        get: |value, _| get::<Dtype>(value, |dtype| Dynamic::from_int(dtype.itemsize() as i64)),
        set: None,
    },
    Property {
        name: "dtype.is_floating_point",
        doc: "Whether elements are real floats.",
        get: |value, _| get::<Dtype>(value, |dtype| Dynamic::from_bool(dtype.is_floating_point())),
        set: None,
    },
    Property {
        name: "dtype.is_signed",
        doc: "Whether elements can be negative.",
        get: |value, _| {
            get::<Dtype>(value, |dtype| {
                Dynamic::from_bool(!matches!(dtype.0, 0 | 11 | 13 | 16 | 17 | 27..=29 | 44))
            })
        },
        set: None,
    },
    Property {
        name: "dtype.is_complex",
        doc: "Whether elements are complex.",
        get: |value, _| get::<Dtype>(value, |dtype| Dynamic::from_bool(dtype.is_complex())),
        set: None,
    },
    Property {
        name: "Error.kind",
        doc: "The kind, such as \"ShapeError\".",
        get: |value, _| get::<Error>(value, |error| text(error.kind_name())),
        set: None,
    },
    Property {
        name: "Error.py",
        doc: "Python's exception object, where this is one, or ().",
        get: |value, _| {
            get::<Error>(value, |error| {
                error.foreign.as_ref().map_or(Dynamic::UNIT, |foreign| foreign.object.clone())
            })
        },
        set: None,
    },
    Property {
        name: "Error.message",
        doc: "What happened.",
        get: |value, _| get::<Error>(value, |error| text(error.message.clone())),
        set: None,
    },
    Property {
        name: "Error.help",
        doc: "What to do, or ().",
        get: |value, _| get::<Error>(value, |error| error.help.clone().map_or(Dynamic::UNIT, text)),
        set: None,
    },
    Property {
        name: "Error.line",
        doc: "The line, counted from 1, or ().",
        get: |value, _| {
            get::<Error>(value, |error| {
                error.position.line().map_or(Dynamic::UNIT, |line| Dynamic::from_int(line as i64))
            })
        },
        set: None,
    },
];
