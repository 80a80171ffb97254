//! `x.shape`, `x.grad` and the other attributes of tensors.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::context::Context;
use crate::script::convert;
use crate::script::function::Property;
use crate::torch::{Layout, Tensor, shim};

fn with(value: &Dynamic, read: impl FnOnce(&Tensor) -> Result<Dynamic>) -> Result<Dynamic> {
    match value.read_lock::<Tensor>() {
        Some(tensor) => read(&tensor),
        None => Err(Error::type_("a tensor is needed")),
    }
}

fn operator(value: &Dynamic, name: &str, ctx: &Context<'_>) -> Result<Dynamic> {
    ctx.op(name, vec![value.flatten_clone()])
}

macro_rules! bools {
    ($($name:literal $doc:literal $read:expr;)*) => {
        [$(Property {
            name: $name,
            doc: $doc,
            get: |value, _| with(value, |x| Ok(Dynamic::from_bool($read(x)))),
            set: None,
        },)*]
    };
}

const BOOLS: [Property; 5] = bools! {
    "Tensor.is_leaf" "Whether no operation with a graph made it." |x: &Tensor| shim::is_leaf(x);
    "Tensor.is_cuda" "Whether it is on a CUDA device." |x: &Tensor| x.device_of().kind == 1;
    "Tensor.is_cpu" "Whether it is on the CPU." |x: &Tensor| x.device_of().kind == 0;
    "Tensor.is_meta" "Whether it has a shape but no elements." |x: &Tensor| x.device_of().kind == 14;
    "Tensor.is_sparse" "Whether its layout is sparse COO." |x: &Tensor| shim::layout(x) == 1;
};

macro_rules! operators {
    ($($name:literal $operator:literal $doc:literal;)*) => {
        [$(Property {
            name: $name,
            doc: $doc,
            get: |value, ctx| operator(value, $operator, ctx),
            set: None,
        },)*]
    };
}

const OPERATORS: [Property; 4] = operators! {
    "Tensor.T" "numpy_T" "The transpose.";
    "Tensor.mT" "mT" "The transpose of the last two dimensions.";
    "Tensor.H" "matrix_H" "The conjugate transpose of a matrix.";
    "Tensor.mH" "mH" "The conjugate transpose of the last two dimensions.";
};

const OTHERS: [Property; 17] = [
    Property {
        name: "Tensor.shape",
        doc: "The sizes of the dimensions, an array of ints.",
        get: |value, _| with(value, |x| Ok(convert::from_ints(&shim::sizes(x)))),
        set: None,
    },
    Property {
        name: "Tensor.dtype",
        doc: "The element type.",
        get: |value, _| with(value, |x| Ok(Dynamic::from(x.dtype()))),
        set: None,
    },
    Property {
        name: "Tensor.device",
        doc: "Where the elements are.",
        get: |value, _| with(value, |x| Ok(Dynamic::from(x.device_of()))),
        set: None,
    },
    Property {
        name: "Tensor.layout",
        doc: "The memory layout.",
        get: |value, _| with(value, |x| Ok(Dynamic::from(Layout(shim::layout(x))))),
        set: None,
    },
    Property {
        name: "Tensor.ndim",
        doc: "The number of dimensions.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_int(shim::dim(x) as i64))),
        set: None,
    },
    Property {
        name: "Tensor.itemsize",
        doc: "Bytes of an element.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_int(x.dtype().itemsize() as i64))),
        set: None,
    },
    Property {
        name: "Tensor.nbytes",
        doc: "Bytes of all elements.",
        get: |value, _| {
            with(value, |x| {
                let elements: i64 = shim::sizes(x).iter().product();
                Ok(Dynamic::from_int(elements * x.dtype().itemsize() as i64))
            })
        },
        set: None,
    },
    Property {
        name: "Tensor.requires_grad",
        doc: "Whether gradients are computed for it. Only a leaf can be set to false.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_bool(x.requires_grad()))),
        set: Some(|value, new, _| {
            let on = new.as_bool().map_err(|_| Error::type_("requires_grad must be a bool"))?;
            with(value, |x| {
                let _ = x.tch().f_requires_grad_(on)?;
                Ok(Dynamic::UNIT)
            })
            .map(drop)
        }),
    },
    Property {
        name: "Tensor.grad",
        doc: "The gradient that backward() has accumulated, or ().",
        get: |value, _| {
            with(value, |x| {
                let grad = x.f_grad()?;
                Ok(if grad.defined() { Dynamic::from(Tensor::from(grad)) } else { Dynamic::UNIT })
            })
        },
        set: Some(|value, new, _| {
            let grad = match (convert::tensor(&new), new.is_unit()) {
                (Some(grad), _) => Some(grad),
                (None, true) => None,
                _ => return Err(Error::type_("a gradient is a tensor or ()")),
            };
            with(value, |x| {
                shim::set_grad(x, grad.as_ref().map(AsRef::as_ref))?;
                Ok(Dynamic::UNIT)
            })
            .map(drop)
        }),
    },
    Property {
        name: "Tensor.grad_fn",
        doc: "The name of the operation that made it, or ().",
        get: |value, _| {
            with(value, |x| Ok(shim::grad_fn_name(x).map_or(Dynamic::UNIT, Dynamic::from)))
        },
        set: None,
    },
    Property {
        name: "Tensor.data",
        doc: "The same elements without the graph; setting it replaces the elements.",
        get: |value, _| with(value, |x| Ok(Dynamic::from(Tensor::from(x.f_detach()?)))),
        set: Some(|value, new, _| {
            let data =
                convert::tensor(&new).ok_or_else(|| Error::type_("data must be a tensor"))?;
            with(value, |x| {
                shim::set_data(x, &data)?;
                Ok(Dynamic::UNIT)
            })
            .map(drop)
        }),
    },
    Property {
        name: "Tensor.real",
        doc: "The real part, a view.",
        get: |value, ctx| {
            if with(value, |x| Ok(Dynamic::from_bool(x.dtype().is_complex())))?.as_bool()
                == Ok(false)
            {
                return Ok(value.flatten_clone());
            }
            operator(value, "real", ctx)
        },
        set: None,
    },
    Property {
        name: "Tensor.imag",
        doc: "The imaginary part, a view.",
        get: |value, ctx| operator(value, "imag", ctx),
        set: None,
    },
    Property {
        name: "Tensor.retains_grad",
        doc: "Whether retain_grad() was asked for.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_bool(shim::retains_grad(x)))),
        set: None,
    },
    Property {
        name: "Tensor.output_nr",
        doc: "Which output of its operation it is.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_int(shim::output_nr(x)))),
        set: None,
    },
    Property {
        name: "Tensor._version",
        doc: "How often its storage was written in place.",
        get: |value, _| with(value, |x| Ok(Dynamic::from_int(shim::version(x)))),
        set: None,
    },
    Property {
        name: "Tensor.is_quantized",
        doc: "Whether its elements are quantised.",
        get: |value, _| {
            with(value, |x| Ok(Dynamic::from_bool(matches!(x.dtype().0, 12..=14 | 16 | 17))))
        },
        set: None,
    },
];

const COUNT: usize = BOOLS.len() + OPERATORS.len() + OTHERS.len();

const fn joined() -> [Property; COUNT] {
    let mut all = [OTHERS[0]; COUNT];
    let parts: [&[Property]; 3] = [&BOOLS, &OPERATORS, &OTHERS];
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

/// All attributes of tensors.
pub(super) const PROPERTIES: &[Property] = &joined();
