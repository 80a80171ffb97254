//! The methods of containers. They are declared under the container's class (`ModuleList.append`),
//! because other modules may use these names for submodules and closures of their own.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use rhai::Dynamic;

use super::layers::container;
use super::module::Module;

const fn method(
    schema: &'static str,
    doc: &'static str,
    example: &'static str,
    call: Call,
) -> Function {
    Function { schema, doc, example, call }
}

type Call = fn(&mut Args<'_>) -> Result<Dynamic>;

const APPEND: &str = "Adds an item at the end and gives the container back.";
const EXTEND: &str = "Adds each item of an array or of another container at the end.";
const INSERT: &str = "Puts a module before position `index`; the ones behind it move up.";
const POP: &str = "Takes an item out and gives it back; the ones behind it move up.";
const KEYS: &str = "The names, in order.";
const VALUES: &str = "The values, in order.";
const ITEMS: &str = "Pairs [name, value], in order.";
const UPDATE: &str =
    "Adds or replaces entries from a map, pairs [name, value] or another container.";
const CLEAR: &str = "Takes every entry out.";
const CONTAINS: &str = "Whether there is an entry of that name: `\"a\" in m`.";

pub(crate) const FUNCTIONS: &[Function] = &[
    method(
        "Sequential.append(Module self, Module module) -> Module",
        APPEND,
        "nn.Sequential(nn.ReLU()).append(nn.Tanh())",
        append,
    ),
    method(
        "Sequential.extend(Module self, Any modules) -> Module",
        EXTEND,
        "nn.Sequential(nn.ReLU()).extend([nn.Tanh()])",
        extend,
    ),
    method(
        "Sequential.insert(Module self, int index, Module module) -> Module",
        INSERT,
        "nn.Sequential(nn.ReLU()).insert(0, nn.Tanh())",
        insert,
    ),
    method(
        "Sequential.pop(Module self, int key) -> Module",
        POP,
        "nn.Sequential(nn.ReLU()).pop(0)",
        pop,
    ),
    method(
        "ModuleList.append(Module self, Module module) -> Module",
        APPEND,
        "nn.ModuleList().append(nn.Tanh())",
        append,
    ),
    method(
        "ModuleList.extend(Module self, Any modules) -> Module",
        EXTEND,
        "nn.ModuleList().extend([nn.Tanh()])",
        extend,
    ),
    method(
        "ModuleList.insert(Module self, int index, Module module) -> Module",
        INSERT,
        "nn.ModuleList().insert(0, nn.Tanh())",
        insert,
    ),
    method(
        "ModuleList.pop(Module self, int key) -> Module",
        POP,
        "let m = nn.ModuleList([nn.ReLU()]);\nm.pop(-1)",
        pop,
    ),
    method(
        "ModuleDict.keys(Module self) -> str[]",
        KEYS,
        "nn.ModuleDict(#{ a: nn.ReLU() }).keys()",
        keys,
    ),
    method(
        "ModuleDict.values(Module self) -> Module[]",
        VALUES,
        "nn.ModuleDict(#{ a: nn.ReLU() }).values()",
        values,
    ),
    method(
        "ModuleDict.items(Module self) -> Any[]",
        ITEMS,
        "nn.ModuleDict(#{ a: nn.ReLU() }).items()",
        items,
    ),
    method(
        "ModuleDict.update(Module container, Any modules) -> ()",
        UPDATE,
        "nn.ModuleDict().update(#{ a: nn.ReLU() })",
        update,
    ),
    method(
        "ModuleDict.pop(Module self, str key) -> Module",
        POP,
        "nn.ModuleDict(#{ a: nn.ReLU() }).pop(\"a\")",
        pop,
    ),
    method(
        "ModuleDict.clear(Module self) -> ()",
        CLEAR,
        "nn.ModuleDict(#{ a: nn.ReLU() }).clear()",
        clear,
    ),
    method(
        "ModuleDict.contains(Module self, str key) -> bool",
        CONTAINS,
        "nn.ModuleDict(#{ a: nn.ReLU() }).contains(\"a\")",
        contains,
    ),
    method(
        "ParameterList.append(Module self, Tensor value) -> Module",
        APPEND,
        "nn.ParameterList().append(torch.zeros([2]))",
        append,
    ),
    method(
        "ParameterList.extend(Module self, Any values) -> Module",
        EXTEND,
        "nn.ParameterList().extend([torch.zeros([2])])",
        extend,
    ),
    method(
        "ParameterList.pop(Module self, int key) -> Tensor",
        POP,
        "nn.ParameterList([torch.zeros([2])]).pop(0)",
        pop,
    ),
    method(
        "ParameterDict.keys(Module self) -> str[]",
        KEYS,
        "nn.ParameterDict(#{ a: torch.zeros([2]) }).keys()",
        keys,
    ),
    method(
        "ParameterDict.values(Module self) -> Tensor[]",
        VALUES,
        "nn.ParameterDict(#{ a: torch.zeros([2]) }).values()",
        values,
    ),
    method(
        "ParameterDict.items(Module self) -> Any[]",
        ITEMS,
        "nn.ParameterDict(#{ a: torch.zeros([2]) }).items()",
        items,
    ),
    method(
        "ParameterDict.update(Module container, Any parameters) -> ()",
        UPDATE,
        "nn.ParameterDict().update(#{ a: torch.zeros([2]) })",
        update,
    ),
    method(
        "ParameterDict.pop(Module self, str key) -> Tensor",
        POP,
        "nn.ParameterDict(#{ a: torch.zeros([2]) }).pop(\"a\")",
        pop,
    ),
    method(
        "ParameterDict.clear(Module self) -> ()",
        CLEAR,
        "nn.ParameterDict(#{ a: torch.zeros([2]) }).clear()",
        clear,
    ),
    method(
        "ParameterDict.contains(Module self, str key) -> bool",
        CONTAINS,
        "nn.ParameterDict().contains(\"a\")",
        contains,
    ),
];

/// The dotted name of the method `name` of a container, where it has that method.
pub(crate) fn find(module: &Module, name: &str) -> Option<&'static str> {
    let class = module.class().name();
    let full =
        FUNCTIONS.iter().map(|function| function.schema.split('(').next().unwrap_or_default());
    full.into_iter().find(|full| full.split_once('.') == Some((class, name)))
}

/// The names of a container's methods.
pub(crate) fn names(module: &Module) -> impl Iterator<Item = &'static str> {
    let class = module.class().name();
    let full =
        FUNCTIONS.iter().map(|function| function.schema.split('(').next().unwrap_or_default());
    full.filter_map(move |full| {
        full.split_once('.').filter(|(own, _)| *own == class).map(|(_, n)| n)
    })
}

fn this(args: &Args<'_>) -> Result<Module> {
    args.object::<Module>(0)
}

fn append(args: &mut Args<'_>) -> Result<Dynamic> {
    container::put_at_end(&this(args)?, args.get(1))?;
    Ok(args.take(0))
}

fn extend(args: &mut Args<'_>) -> Result<Dynamic> {
    container::extend(&this(args)?, args.get(1))?;
    Ok(args.take(0))
}

fn insert(args: &mut Args<'_>) -> Result<Dynamic> {
    let list = this(args)?;
    let mut items = list.items();
    let (n, index) = (items.len() as i64, args.int(1)?);
    if !(-n..=n).contains(&index) {
        return Err(Error::index(format!("Index out of range: {index}")));
    }
    let place = if index < 0 { n + index } else { index };
    let item = Module::required(args.get(2))?;
    list.nest(&item)?;
    items.insert(place as usize, item);
    container::number(&list, items)?;
    Ok(args.take(0))
}

fn pop(args: &mut Args<'_>) -> Result<Dynamic> {
    let module = this(args)?;
    let item = container::get(&module, args.get(1))?;
    container::remove(&module, args.get(1))?;
    Ok(item)
}

fn keys(args: &mut Args<'_>) -> Result<Dynamic> {
    let names = container::names(&this(args)?);
    Ok(Dynamic::from_array(names.into_iter().map(|name| Dynamic::from(name.to_string())).collect()))
}

fn values(args: &mut Args<'_>) -> Result<Dynamic> {
    Ok(Dynamic::from_array(container::values(&this(args)?)))
}

fn items(args: &mut Args<'_>) -> Result<Dynamic> {
    let module = this(args)?;
    let names = container::names(&module).into_iter().map(|name| Dynamic::from(name.to_string()));
    let pairs = names.zip(container::values(&module));
    Ok(Dynamic::from_array(pairs.map(|(n, v)| Dynamic::from_array(vec![n, v])).collect()))
}

fn update(args: &mut Args<'_>) -> Result<Dynamic> {
    container::update(&this(args)?, args.get(1))?;
    Ok(Dynamic::UNIT)
}

fn clear(args: &mut Args<'_>) -> Result<Dynamic> {
    let module = this(args)?;
    for name in container::names(&module) {
        container::remove(&module, &Dynamic::from(name.to_string()))?;
    }
    Ok(Dynamic::UNIT)
}

fn contains(args: &mut Args<'_>) -> Result<Dynamic> {
    let key = args.str(1)?;
    Ok(container::names(&this(args)?).iter().any(|name| **name == *key).into())
}
