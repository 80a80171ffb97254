//! Calls an operator of libtorch with script values: finds the overload that fits, remembers how the
//! arguments map onto it, and hands the values over.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::bind::{argument_position, fit, is_number, unexpected_keyword};
use super::convert;
use super::device::{check_device, default_device};
use super::guard::{self, Need};
use super::value::{Complex, Results};
use crate::error::{Error, Result};
use crate::torch::shim::{self, Output};
use crate::torch::{
    Arguments, Device, Dtype, Generator, Layout, MemoryFormat, Operator, Overload, Scalar, Tensor,
    Type,
};

/// Where an argument of the schema comes from.
#[derive(Clone, Debug)]
enum Source {
    Positional(usize),
    /// All positional values from here on are one list of integers.
    Gather(usize),
    Keyword(Box<str>),
    Default,
    /// The device of new tensors.
    Device,
}

/// A resolved call: which overload, and where its arguments come from.
pub(crate) struct Plan {
    overload: &'static Overload,
    sources: Vec<Source>,
    requires_grad: bool,
    names: Arc<[String]>,
    /// What must hold before the call; empty for most.
    needs: Vec<Need>,
}

thread_local! {
    /// Plans by the operator and the kinds of the arguments. A session may go on on another thread: plans are
    /// counted atomically, and hold no values.
    static PLANS: RefCell<HashMap<u64, Arc<Plan>>> = RefCell::new(HashMap::new());
}

/// Operators for which Python takes a number where the schema says tensor.
fn numbers_as_tensors(name: &str) -> bool {
    matches!(
        name.trim_end_matches('_'),
        "add"
            | "sub"
            | "subtract"
            | "mul"
            | "multiply"
            | "div"
            | "divide"
            | "true_divide"
            | "floor_divide"
            | "remainder"
            | "fmod"
            | "bitwise_and"
            | "bitwise_or"
            | "bitwise_xor"
            | "__and__"
            | "__or__"
            | "__xor__"
            | "eq"
            | "ne"
            | "lt"
            | "le"
            | "gt"
            | "ge"
            | "pow"
            | "atan2"
            | "copysign"
            | "hypot"
            | "heaviside"
            | "clamp_max"
            | "clamp_min"
            | "logical_and"
            | "logical_or"
            | "logical_xor"
            | "result_type"
            | "where"
            | "masked_fill"
            | "xlogy"
            | "special_xlogy"
            | "fill"
    )
}

/// The plan that a call site used last, by the fingerprint of its arguments.
#[derive(Default)]
pub(crate) struct Recent(RefCell<Option<(u64, Arc<Plan>)>>);

/// Calls `operator`. A trailing map holds keyword arguments.
///
/// # Errors
/// A `TypeError` when no overload fits, and whatever libtorch says.
pub(crate) fn call(operator: &'static Operator, args: &mut [&mut Dynamic]) -> Result<Dynamic> {
    call_at(operator, args, &Recent::default())
}

/// [`call`] from a place that remembers its plan.
pub(crate) fn call_at(
    operator: &'static Operator,
    args: &mut [&mut Dynamic],
    recent: &Recent,
) -> Result<Dynamic> {
    let (n, keywords) = match args.last() {
        Some(last) if last.is_map() => (args.len() - 1, last.read_lock::<Map>()),
        _ => (args.len(), None),
    };
    let keywords = keywords.as_deref();
    let positional = &args[..n];
    let key = fingerprint(operator, positional, keywords);
    let plan = find_plan(operator, positional, keywords, key, recent)?;
    execute(&plan, positional, keywords).map_err(|mut error| {
        if error.operands.is_empty() {
            error.operands = describe(&plan, positional, keywords);
        }
        error
    })
}

/// The plan for a call: the site's last, one of the thread's, or a new one.
fn find_plan(
    operator: &'static Operator,
    positional: &[&mut Dynamic],
    keywords: Option<&Map>,
    key: Option<u64>,
    recent: &Recent,
) -> Result<Arc<Plan>> {
    let Some(key) = key else { return resolve(operator, positional, keywords).map(Arc::new) };
    if let Some((last, plan)) = &*recent.0.borrow()
        && *last == key
    {
        return Ok(plan.clone());
    }
    let known = PLANS.with(|plans| plans.borrow().get(&key).cloned());
    let plan = match known {
        Some(plan) => plan,
        None => {
            let plan = Arc::new(resolve(operator, positional, keywords)?);
            PLANS.with(|plans| plans.borrow_mut().insert(key, plan.clone()));
            plan
        }
    };
    *recent.0.borrow_mut() = Some((key, plan.clone()));
    Ok(plan)
}

/// A number for what decides the overload: the operator and the kinds of the values. `None` where
/// values themselves decide.
fn fingerprint(
    operator: &'static Operator,
    positional: &[&mut Dynamic],
    keywords: Option<&Map>,
) -> Option<u64> {
    // FNV-1a: few bytes, and nobody chooses them to collide.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (std::ptr::from_ref(operator) as u64);
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for value in positional {
        add(kind(value)?);
    }
    for (name, value) in keywords.into_iter().flatten() {
        add(0xff);
        name.bytes().for_each(&mut add);
        add(kind(value)?);
        // `requires_grad: true` is part of the plan.
        add(u8::from(value.as_bool() == Ok(true)));
    }
    Some(hash)
}

/// A small number for the kind of a value; `None` where kinds do not decide.
fn kind(value: &Dynamic) -> Option<u8> {
    let id = value.type_id();
    let is = |other: TypeId| id == other;
    if is(TypeId::of::<Tensor>()) {
        // Tensors without dimensions may stand for numbers.
        return value.read_lock::<Tensor>().map(|t| if shim::dim(&t) == 0 { 2 } else { 1 });
    }
    Some(if is(TypeId::of::<i64>()) {
        3
    } else if is(TypeId::of::<f64>()) {
        4
    } else if is(TypeId::of::<bool>()) {
        5
    } else if is(TypeId::of::<()>()) {
        6
    } else if is(TypeId::of::<ImmutableString>()) {
        7
    } else if is(TypeId::of::<Array>()) {
        let array = value.read_lock::<Array>()?;
        match array.first() {
            None => 8,
            Some(first) if first.is_int() && array.iter().all(Dynamic::is_int) => 9,
            Some(first) if first.is::<Tensor>() && array.iter().all(|item| item.is::<Tensor>()) => {
                10
            }
            Some(_) => return None,
        }
    } else if is(TypeId::of::<Dtype>()) {
        11
    } else if is(TypeId::of::<Device>()) {
        12
    } else if is(TypeId::of::<Layout>()) {
        13
    } else if is(TypeId::of::<MemoryFormat>()) {
        14
    } else if is(TypeId::of::<Generator>()) {
        15
    } else if is(TypeId::of::<Complex>()) {
        16
    } else {
        return None;
    })
}

/// Finds the overload that fits best.
fn resolve(
    operator: &'static Operator,
    positional: &[&mut Dynamic],
    keywords: Option<&Map>,
) -> Result<Plan> {
    let wants_out = keywords.is_some_and(|map| map.contains_key("out"));
    let numbers = numbers_as_tensors(operator.short_name());
    let mut best: Option<(u32, Plan)> = None;
    for overload in operator.overloads.iter().filter(|overload| overload.is_out == wants_out) {
        if let Some((score, plan)) = plan(overload, positional, keywords, numbers)
            && best.as_ref().is_none_or(|(least, _)| score < *least)
        {
            best = Some((score, plan));
        }
    }
    let (_, mut plan) = best.ok_or_else(|| mismatch(operator, positional, keywords))?;
    plan.needs = guard::needs(plan.overload);
    Ok(plan)
}

/// How the arguments map onto `overload`, and how well.
fn plan(
    overload: &'static Overload,
    positional: &[&mut Dynamic],
    keywords: Option<&Map>,
    numbers: bool,
) -> Option<(u32, Plan)> {
    let arguments = &overload.schema.arguments;
    let mut sources = vec![Source::Default; arguments.len()];
    // What is made like another tensor is made where that is.
    if overload.is_factory
        && !arguments.iter().any(|argument| argument.ty == Type::Tensor)
        && let Some(device) = argument_position(&overload.schema, "device")
    {
        sources[device] = Source::Device;
    }
    let mut given = vec![false; arguments.len()];
    let mut score = 0;
    let places: Vec<usize> = (0..arguments.len()).filter(|&i| !arguments[i].keyword_only).collect();
    for (i, value) in positional.iter().enumerate() {
        if let Some(list) = overload.varargs
            && let Some(at) = places.iter().position(|&place| place == list)
            && i == at
            && positional.len() > i + 1
            && positional[i..].iter().all(|value| convert::int(value).is_some())
        {
            sources[list] = Source::Gather(i);
            given[list] = true;
            break;
        }
        let &place = places.get(i)?;
        // `self` of a method is a tensor, never a number.
        let numbers = numbers && !(place == 0 && overload.schema.overload.is_empty());
        score += fit(value, &arguments[place].ty, numbers)?;
        sources[place] = Source::Positional(i);
        given[place] = true;
    }
    let mut requires_grad = false;
    for (name, value) in keywords.into_iter().flatten() {
        if name == "requires_grad" && overload.is_factory {
            requires_grad = value.as_bool().ok()?;
            continue;
        }
        let place = argument_position(&overload.schema, name)?;
        if given[place] {
            return None;
        }
        score += fit(value, &arguments[place].ty, numbers)?;
        sources[place] = Source::Keyword(name.as_str().into());
        given[place] = true;
    }
    for (i, argument) in arguments.iter().enumerate() {
        if !given[i] && argument.default.is_none() {
            return None;
        }
    }
    let names = overload.schema.returns.iter().map(|(_, name)| name.clone()).collect();
    Some((score, Plan { overload, sources, requires_grad, names, needs: Vec::new() }))
}

/// The error for arguments that no overload takes.
fn mismatch(operator: &Operator, positional: &[&mut Dynamic], keywords: Option<&Map>) -> Error {
    let found: Vec<String> = positional
        .iter()
        .map(|value| convert::type_name(value))
        .chain(
            keywords
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}: {}", convert::type_name(value))),
        )
        .collect();
    let overloads: Vec<&Overload> = operator.overloads.iter().filter(|o| !o.is_out).collect();
    // Dimensions by name are for tensors that hardly anybody has.
    let plain: Vec<&Overload> =
        overloads.iter().copied().filter(|o| !names_dimensions(o)).collect();
    let shown = if plain.is_empty() { &overloads } else { &plain };
    let signatures: Vec<String> = shown.iter().map(|o| o.schema.to_string()).collect();
    let help = match signatures.len() {
        0 => "it has only overloads that write to `out: tensor`".to_owned(),
        1 => signatures[0].clone(),
        _ => format!("one of\n  {}", signatures.join("\n  ")),
    };
    let is_unknown = |name: &str| {
        overloads.iter().all(|overload| {
            argument_position(&overload.schema, name).is_none()
                && !(name == "requires_grad" && overload.is_factory)
        })
    };
    let unknown = keywords.into_iter().flat_map(Map::keys).find(|name| is_unknown(name));
    if let Some(unknown) = unknown.filter(|_| !overloads.is_empty()) {
        let names = shown.iter().flat_map(|overload| &overload.schema.arguments);
        return unexpected_keyword(operator.short_name(), names, unknown, &help);
    }
    Error::type_(format!(
        "{}() does not take these arguments: ({})",
        operator.short_name(),
        found.join(", ")
    ))
    .help(help)
}

/// Whether an overload takes the names of dimensions.
fn names_dimensions(overload: &Overload) -> bool {
    overload.schema.arguments.iter().any(|argument| {
        let is_text = match argument.ty.required() {
            Type::Str => true,
            Type::List(item, _) => **item == Type::Str,
            _ => false,
        };
        is_text && ["dim", "dims", "names", "order", "dimension"].contains(&argument.name.as_str())
    })
}

/// What the values look like, for errors of libtorch: `self: float32[2, 3]`.
fn describe(plan: &Plan, positional: &[&mut Dynamic], keywords: Option<&Map>) -> Vec<String> {
    let mut operands = Vec::new();
    for (argument, source) in plan.overload.schema.arguments.iter().zip(&plan.sources) {
        let value: &Dynamic = match source {
            Source::Positional(i) => positional[*i],
            Source::Keyword(name) => match keywords.and_then(|map| map.get(&**name)) {
                Some(value) => value,
                None => continue,
            },
            _ => continue,
        };
        if let Some(tensor) = value.read_lock::<Tensor>() {
            operands.push(format!("{}: {}", argument.name, tensor.describe()));
        } else if let Some(list) = value.read_lock::<Array>()
            && list.first().is_some_and(|item| item.is::<Tensor>())
        {
            let items: Vec<String> = list
                .iter()
                .filter_map(convert::tensor)
                .take(4)
                .map(|tensor| tensor.describe())
                .collect();
            operands.push(format!("{}: [{}]", argument.name, items.join(", ")));
        }
    }
    operands
}

fn execute(plan: &Plan, positional: &[&mut Dynamic], keywords: Option<&Map>) -> Result<Dynamic> {
    if !plan.needs.is_empty() {
        check_needs(plan, positional, keywords)?;
    }
    let mut arguments = Arguments::default();
    for (argument, source) in plan.overload.schema.arguments.iter().zip(&plan.sources) {
        match source {
            Source::Default => arguments.default_value(),
            Source::Device => arguments.device_or_default(default_device()),
            Source::Positional(i) => pass(positional[*i], &argument.ty, &mut arguments)?,
            Source::Keyword(name) => match keywords.and_then(|map| map.get(&**name)) {
                Some(value) => pass(value, &argument.ty, &mut arguments)?,
                None => arguments.default_value(),
            },
            Source::Gather(from) => {
                let ints = positional[*from..].iter().map(|value| {
                    convert::int(value).ok_or_else(|| {
                        Error::type_(format!("expected int, found {}", convert::type_name(value)))
                    })
                });
                arguments.ints(ints.collect::<Result<_>>()?);
            }
        }
    }
    let mut first = Dynamic::UNIT;
    let mut more: Array = Array::new();
    let mut count = 0;
    arguments.call(plan.overload, |output| {
        let mut value = convert::from_output(output);
        // The dispatcher hands dtypes over as numbers.
        if let Ok(number) = value.as_int()
            && matches!(plan.overload.schema.returns.get(count), Some((Type::Dtype, _)))
        {
            value = Dynamic::from(Dtype(number as i8));
        }
        if count == 0 {
            first = value;
        } else {
            if count == 1 {
                more.push(std::mem::take(&mut first));
            }
            more.push(value);
        }
        count += 1;
    })?;
    if plan.requires_grad
        && let Some(tensor) = first.read_lock::<Tensor>()
    {
        // In place on the autograd metadata of a fresh leaf.
        let _ = tensor.tch().f_requires_grad_(true)?;
    }
    if count <= 1 {
        return Ok(first);
    }
    Ok(Dynamic::from(Results {
        name: plan.overload.schema.short_name().into(),
        names: plan.names.clone(),
        values: more,
    }))
}

fn check_needs(plan: &Plan, positional: &[&mut Dynamic], keywords: Option<&Map>) -> Result<()> {
    let value = |i: usize| match plan.sources.get(i)? {
        Source::Positional(i) => positional.get(*i).map(|value| &**value),
        Source::Keyword(name) => keywords.and_then(|map| map.get(&**name)),
        Source::Default | Source::Device | Source::Gather(_) => None,
    };
    guard::check(&plan.needs, &guard::Call { schema: &plan.overload.schema, value: &value })
}

/// Adds one value as an argument of type `ty`.
fn pass(value: &Dynamic, ty: &Type, arguments: &mut Arguments<'_>) -> Result<()> {
    let wrong = || Error::type_(format!("expected {ty}, found {}", convert::type_name(value)));
    if value.is_unit() {
        arguments.none();
        return Ok(());
    }
    match ty.required() {
        Type::Tensor => {
            if let Some(tensor) = value.read_lock::<Tensor>() {
                arguments.tensor(tensor.clone());
            } else {
                arguments.tensor(number_tensor(value).ok_or_else(wrong)??);
            }
        }
        Type::Int => arguments.int(convert::int(value).ok_or_else(wrong)?),
        Type::Float => {
            arguments.scalar(Scalar::Float(convert::float(value).ok_or_else(wrong)?));
        }
        Type::Bool => arguments.scalar(Scalar::Bool(value.as_bool().map_err(|_| wrong())?)),
        Type::Scalar | Type::Complex => arguments.scalar(scalar(value).ok_or_else(wrong)?),
        Type::Str => match value.as_immutable_string_ref() {
            Ok(text) => arguments.text(&text),
            Err(_) => return Err(wrong()),
        },
        Type::Dtype => arguments.int(i64::from(convert::dtype(value).ok_or_else(wrong)?.0)),
        Type::Device => {
            let device = convert::device(value).ok_or_else(wrong)??;
            check_device(device)?;
            arguments.device(device);
        }
        Type::Layout => {
            let layout = value.read_lock::<Layout>().map(|layout| layout.0);
            arguments.int(i64::from(layout.ok_or_else(wrong)?));
        }
        Type::MemoryFormat => {
            let format = value.read_lock::<MemoryFormat>().map(|format| format.0);
            arguments.int(i64::from(format.ok_or_else(wrong)?));
        }
        Type::Generator => {
            let generator = value.read_lock::<Generator>().map(|generator| generator.clone());
            arguments.generator(generator.ok_or_else(wrong)?);
        }
        Type::List(inner, size) => return pass_list(value, inner, *size, arguments),
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Adds a list; one value stands for a list of it. libtorch itself widens a list of one where the
/// schema gives a size.
fn pass_list(
    value: &Dynamic,
    inner: &Type,
    size: Option<usize>,
    arguments: &mut Arguments<'_>,
) -> Result<()> {
    let wrong =
        || Error::type_(format!("expected a list of {inner}, found {}", convert::type_name(value)));
    let items = match convert::items(value) {
        Some(items) => items,
        None => vec![value.clone(); size.unwrap_or(1).max(1)],
    };
    fn all<T>(items: &[Dynamic], read: impl Fn(&Dynamic) -> Option<T>) -> Option<Vec<T>> {
        items.iter().map(read).collect()
    }
    match inner.required() {
        Type::Int => arguments.ints(all(&items, convert::int).ok_or_else(wrong)?),
        Type::Float => arguments.floats(all(&items, convert::float).ok_or_else(wrong)?),
        Type::Bool => {
            arguments.bools(all(&items, |item| item.as_bool().ok()).ok_or_else(wrong)?);
        }
        Type::Tensor if inner.is_optional() => {
            let list = all(&items, |item| {
                if item.is_unit() { Some(None) } else { convert::tensor(item).map(Some) }
            });
            arguments.optional_tensor_list(list.ok_or_else(wrong)?);
        }
        Type::Tensor => arguments.tensor_list(all(&items, convert::tensor).ok_or_else(wrong)?),
        Type::Scalar => arguments.scalars(all(&items, scalar).ok_or_else(wrong)?),
        Type::Str => {
            let texts = all(&items, convert::string).ok_or_else(wrong)?;
            arguments.texts(texts.iter().map(String::as_str));
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// A number of any kind; a tensor without dimensions counts.
pub(crate) fn scalar(value: &Dynamic) -> Option<Scalar> {
    if let Ok(int) = value.as_int() {
        return Some(Scalar::Int(int));
    }
    if let Ok(float) = value.as_float() {
        return Some(Scalar::Float(float));
    }
    if let Ok(bool) = value.as_bool() {
        return Some(Scalar::Bool(bool));
    }
    if let Some(complex) = value.read_lock::<Complex>() {
        return Some(Scalar::Complex(complex.re, complex.im));
    }
    let tensor = value.read_lock::<Tensor>()?;
    if shim::dim(&tensor) != 0 {
        return None;
    }
    Some(match shim::item(&tensor).ok()? {
        Output::Int(int) => Scalar::Int(int),
        Output::Float(float) => Scalar::Float(float),
        Output::Bool(bool) => Scalar::Bool(bool),
        Output::Complex(re, im) => Scalar::Complex(re, im),
        _ => return None,
    })
}

/// A tensor without dimensions that holds a number, in the dtype that PyTorch infers.
pub(crate) fn number_tensor(value: &Dynamic) -> Option<Result<Tensor>> {
    if !is_number(value) {
        return None;
    }
    let dtype = if value.is_int() {
        Dtype::INT64
    } else if value.is_bool() {
        Dtype::BOOL
    } else if value.is_float() {
        crate::torch::default_dtype()
    } else if crate::torch::default_dtype() == Dtype::FLOAT64 {
        Dtype::COMPLEX128
    } else {
        Dtype::COMPLEX64
    };
    let operator = crate::torch::operator("aten", "scalar_tensor")?;
    let mut options = Map::new();
    options.insert("dtype".into(), Dynamic::from(dtype));
    let (mut value, mut options) = (value.clone(), Dynamic::from_map(options));
    Some(call(operator, &mut [&mut value, &mut options]).and_then(|tensor| {
        convert::tensor(&tensor).ok_or_else(|| Error::type_("scalar_tensor gave no tensor"))
    }))
}
