//! What scripts find under `py`, and the two names of PyTorch that are about NumPy.

use flambeau_runtime::Result;
use flambeau_runtime::script::{Args, Constant, Function, convert};
use flambeau_runtime::torch::Tensor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use rhai::{Dynamic, Map};

use crate::errors::Attempt;
use crate::interpreter::{helper, is_started, outside, with};
use crate::object::PyObject;
use crate::{from_python, to_python};

/// The namespace of `py.eval`.
pub(crate) const CONSTANTS: &[Constant] = &[Constant {
    name: "py.globals",
    doc: "The names that py.eval and py.exec share: a Python dict.",
    value: || Dynamic::from(PyObject::globals()),
}];

/// Calls a function of `bridge.py` with one value of the script.
fn call_helper(name: &str, value: &Dynamic) -> Result<Dynamic> {
    with(|py| {
        let value = to_python::object(py, value)?;
        let helper = helper(py, name)?;
        from_python::value(&outside(py, || helper.call1((value,)))?)
    })
}

/// Calls a builtin with one value of the script, and keeps what it gives as an object.
fn construct(name: &str, value: &Dynamic) -> Result<Dynamic> {
    with(|py| {
        let value = to_python::object(py, value)?;
        let make = py.import("builtins")?.getattr(name)?;
        Ok(from_python::kept(outside(py, || make.call1((value,)))?))
    })
}

/// A builtin's value for one value of the script.
fn builtin(name: &str, value: &Dynamic) -> Result<Dynamic> {
    with(|py| {
        let value = to_python::object(py, value)?;
        let builtin = py.import("builtins")?.getattr(name)?;
        from_python::value(&outside(py, || builtin.call1((value,)))?)
    })
}

fn help(args: &mut Args<'_>) -> Result<Dynamic> {
    let text = call_helper("help_text", args.get(0))?;
    args.ctx().print(&format!("{}\n", convert::string(&text).unwrap_or_default().trim_end()));
    Ok(Dynamic::UNIT)
}

fn import(args: &mut Args<'_>) -> Result<Dynamic> {
    let name = args.str(0)?;
    with(|py| Ok(from_python::kept(outside(py, || py.import(name.as_str()))?.into_any())))
}

fn same(args: &mut Args<'_>) -> Result<Dynamic> {
    with(|py| {
        let (a, b) = (to_python::object(py, args.get(0))?, to_python::object(py, args.get(1))?);
        Ok(Dynamic::from_bool(a.is(&b)))
    })
}

fn dict(args: &mut Args<'_>) -> Result<Dynamic> {
    let map: Map = args.map(0)?;
    with(|py| {
        let dict = PyDict::new(py);
        for (name, value) in &map {
            dict.set_item(name.as_str(), to_python::object(py, value)?)?;
        }
        Ok(from_python::kept(dict.into_any()))
    })
}

fn tuple(args: &mut Args<'_>) -> Result<Dynamic> {
    let items = args.array(0)?;
    with(|py| {
        let items = items.iter().map(|i| to_python::object(py, i)).collect::<Attempt<Vec<_>>>()?;
        Ok(from_python::kept(PyTuple::new(py, items)?.into_any()))
    })
}

fn code(args: &mut Args<'_>, name: &str) -> Result<Dynamic> {
    let code = args.str(0)?;
    with(|py| {
        let helper = helper(py, name)?;
        from_python::value(&outside(py, || helper.call1((code,)))?)
    })
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "py.import(str name) -> PyObject",
        doc: "A module of the Python that belongs to the environment, such as \"numpy\" or \
              \"os.path\": attributes, calls, keyword arguments, indexing, operators and iteration work \
              on it as in Python. The interpreter starts with the first use of py.",
        example: "let math = py.import(\"math\");\nprint(math.gcd(12, 18));",
        call: import,
    },
    Function {
        schema: "py.eval(str code) -> Any",
        doc: "The value of a Python expression, which sees the names in py.globals.",
        example: "print(py.eval(\"sum(range(5))\"));",
        call: |args| code(args, "evaluate"),
    },
    Function {
        schema: "py.exec(str code) -> None",
        doc: "Runs Python statements; what they define is in py.globals. The text may be indented.",
        example: "py.exec(`\n    def double(x):\n        return 2 * x\n`);\nprint(py.eval(\"double(21)\"));",
        call: |args| code(args, "execute"),
    },
    Function {
        schema: "py.is_running() -> bool",
        doc: "Whether the interpreter has started, which it does with the first use of py.",
        example: "print(py.is_running());",
        call: |_| Ok(is_started().into()),
    },
    Function {
        schema: "py.help(Any object) -> None",
        doc: "Prints Python's help for an object.",
        example: "py.help(py.import(\"math\").gcd);",
        call: help,
    },
    Function {
        schema: "py.object(Any value) -> PyObject",
        doc: "A value as a Python object, which stays one: an array as a list that Python changes in \
              place.",
        example: "let list = py.object([1, 2]);\nlist.append(3);\nprint(list);",
        call: |args| with(|py| Ok(from_python::kept(to_python::object(py, args.get(0))?))),
    },
    Function {
        schema: "py.dict(Map? items=None) -> PyObject",
        doc: "A Python dict; also the way to hand a map over as the last argument of a call, where a map \
              is keyword arguments.",
        example: "print(py.import(\"json\").dumps(py.dict(#{a: 1})));",
        call: dict,
    },
    Function {
        schema: "py.tuple(Any items) -> PyObject",
        doc: "A Python tuple of an array's items.",
        example: "print(py.tuple([1, 2]));",
        call: tuple,
    },
    Function {
        schema: "py.set(Any items) -> PyObject",
        doc: "A Python set of an array's items.",
        example: "print(2 in py.set([1, 2]));",
        call: |args| construct("set", args.get(0)),
    },
    Function {
        schema: "py.list(Any items) -> Any",
        doc: "An array of what iterating over a Python object gives.",
        example: "print(py.list(py.eval(\"map(abs, [-1, 2])\")));",
        call: |args| {
            with(|py| {
                let value = to_python::object(py, args.get(0))?;
                if value.is_exact_instance_of::<PyList>() {
                    return from_python::value(&value);
                }
                let list = py.import("builtins")?.getattr("list")?;
                from_python::value(&outside(py, || list.call1((value,)))?)
            })
        },
    },
    Function {
        schema: "py.bool(Any value) -> bool",
        doc: "Whether Python takes a value for true.",
        example: "print(py.bool(py.object([])));",
        call: |args| builtin("bool", args.get(0)),
    },
    Function {
        schema: "py.str(Any value) -> str",
        doc: "Python's str() of a value.",
        example: "print(py.str([1, \"a\"]));",
        call: |args| builtin("str", args.get(0)),
    },
    Function {
        schema: "py.repr(Any value) -> str",
        doc: "Python's repr() of a value.",
        example: "print(py.repr(\"a\"));",
        call: |args| builtin("repr", args.get(0)),
    },
    Function {
        schema: "py.type(Any value) -> PyObject",
        doc: "The class of a value in Python.",
        example: "print(py.type(1.5).__name__);",
        call: |args| construct("type", args.get(0)),
    },
    Function {
        schema: "py.same(Any a, Any b) -> bool",
        doc: "Whether two values are one object in Python: its `is`.",
        example: "let x = torch.ones([2]);\nprint(py.same(x, x));",
        call: same,
    },
    Function {
        schema: "py.tensor(Any object) -> Tensor",
        doc: "The tensor that shares its elements with a NumPy array or with any object that speaks \
              DLPack or an array interface. What is read-only, runs backwards or is in another byte order is \
              copied: a tensor could write it.",
        example: "let np = py.import(\"numpy\");\nlet a = np.zeros(3);\nlet x = py.tensor(a);\nx[0] = 1.0;\nprint(a);",
        call: |args| {
            if args.get(0).is::<Tensor>() {
                // There and back; nothing is asked of Python.
                return with(|py| from_python::value(&to_python::object(py, args.get(0))?));
            }
            call_helper("tensor", args.get(0))
        },
    },
    Function {
        schema: "torch.from_numpy(Any ndarray) -> Tensor",
        doc: "The tensor that shares its elements with a NumPy array; a read-only array is copied. \
              https://pytorch.org/docs/stable/generated/torch.from_numpy.html",
        example: "let np = py.import(\"numpy\");\nprint(torch.from_numpy(np.arange(3)));",
        call: |args| call_helper("tensor", args.get(0)),
    },
    Function {
        schema: "Tensor.numpy(Tensor self, *, bool force=False) -> PyObject",
        doc: "The NumPy array that shares its elements with a CPU tensor that requires no gradient; with \
              force a copy of any tensor. https://pytorch.org/docs/stable/generated/torch.Tensor.numpy.html",
        example: "py.import(\"numpy\");\nprint(torch.ones([2]).numpy());",
        call: |args| {
            let force = args.bool(1)?;
            with(|py| {
                let tensor = to_python::object(py, args.get(0))?;
                Ok(from_python::kept(helper(py, "array")?.call1((tensor, force))?))
            })
        },
    },
];
