//! `StateDict`: names and tensors in order, as `state_dict()` gives them and `torch.save` writes them.
//!
//! A script's own map sorts its keys; a state dict keeps PyTorch's order. The values are tensors or
//! nested plain data. It is a handle: a clone is the same dict.

use std::cell::RefCell;
use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Entries, Function, Items, Object, convert};
use flambeau_runtime::torch::Tensor;
use indexmap::IndexMap;
use rhai::{Dynamic, Map};

/// An ordered dictionary with string keys.
#[derive(Clone, Debug, Default)]
pub struct StateDict(Rc<RefCell<IndexMap<String, Dynamic>>>);

impl StateDict {
    /// A dict with these entries, in this order.
    pub fn from_pairs(pairs: Vec<(String, Dynamic)>) -> Self {
        StateDict(Rc::new(RefCell::new(pairs.into_iter().collect())))
    }

    /// The entries, in order.
    pub fn pairs(&self) -> Vec<(String, Dynamic)> {
        self.0.borrow().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<Dynamic> {
        self.0.borrow().get(name).cloned()
    }

    /// Sets `name`, at the end where it is new.
    pub fn insert(&self, name: &str, value: Dynamic) {
        let old = self.0.borrow_mut().insert(name.to_owned(), value);
        drop(old);
    }

    /// Takes `name` out.
    pub fn remove(&self, name: &str) -> Option<Dynamic> {
        self.0.borrow_mut().shift_remove(name)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From a state dict, a script's map or another language's mapping; `None` for other values.
    pub fn from_value(value: &Dynamic) -> Option<StateDict> {
        if let Some(dict) = value.read_lock::<StateDict>() {
            return Some(dict.clone());
        }
        if let Some(map) = value.read_lock::<Map>() {
            let pairs = map.iter().map(|(name, value)| (name.to_string(), value.flatten_clone()));
            return Some(StateDict::from_pairs(pairs.collect()));
        }
        let entries = Context::current(|ctx| ctx.entries(value).transpose()).ok()??;
        Some(StateDict::from_pairs(entries))
    }

    fn missing(&self, name: &str) -> Error {
        let keys: Vec<String> = self.0.borrow().keys().take(8).cloned().collect();
        let more = if self.len() > keys.len() { ", …" } else { "" };
        Error::key(format!("the state dict has no key '{name}'"))
            .help(format!("it has {}{more}", keys.join(", ")))
    }
}

impl Object for StateDict {
    const TYPE: &'static str = "StateDict";

    fn display(&self) -> String {
        let lines: Vec<String> = self
            .0
            .borrow()
            .iter()
            .map(|(name, value)| match value.read_lock::<Tensor>() {
                Some(tensor) => format!("  {name}: {}", tensor.describe()),
                None => format!("  {name}: {}", convert::type_name(value)),
            })
            .collect();
        if lines.is_empty() {
            return "StateDict()".to_owned();
        }
        format!("StateDict(\n{}\n)", lines.join("\n"))
    }

    fn index(&self, index: &Dynamic, _: &Context<'_>) -> Result<Dynamic> {
        let name = convert::string(index)
            .ok_or_else(|| Error::type_("a StateDict is indexed by strings"))?;
        self.get(&name).ok_or_else(|| self.missing(&name))
    }

    fn set_index(&self, index: &Dynamic, value: Dynamic, _: &Context<'_>) -> Result<()> {
        let name = convert::string(index)
            .ok_or_else(|| Error::type_("a StateDict is indexed by strings"))?;
        self.insert(&name, value.flatten());
        Ok(())
    }

    fn entries(&self) -> Option<Entries> {
        Some(Ok(self.pairs()))
    }

    fn attributes(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let keys: Vec<Dynamic> = self.0.borrow().keys().cloned().map(Dynamic::from).collect();
        Some(Ok(Box::new(keys.into_iter().map(Ok))))
    }
}

fn this(args: &Args<'_>) -> Result<StateDict> {
    args.object::<StateDict>(0)
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "nn.StateDict(Any entries=None) -> StateDict",
        doc: "An ordered dictionary from a map, an array of pairs [name, value], or another one.",
        example: "let sd = nn.StateDict([[\"weight\", torch.zeros([2])]]);\nlen(sd)",
        call: |args| {
            let given = args.get(0);
            if given.is_unit() {
                return Ok(Dynamic::from(StateDict::default()));
            }
            if let Some(dict) = StateDict::from_value(given) {
                return Ok(Dynamic::from(StateDict::from_pairs(dict.pairs())));
            }
            let pair = |item: &Dynamic| {
                let item = convert::items(item)?;
                let [name, value] = item.as_slice() else { return None };
                Some((convert::string(name)?, value.flatten_clone()))
            };
            let pairs = convert::items(given).and_then(|list| list.iter().map(pair).collect());
            let pairs = pairs.ok_or_else(|| args.mismatch(0, "a map or an array of pairs"))?;
            Ok(Dynamic::from(StateDict::from_pairs(pairs)))
        },
    },
    Function {
        schema: "StateDict.keys(StateDict self) -> str[]",
        doc: "The names, in order.",
        example: "nn.Linear(2, 3).state_dict().keys()",
        call: |args| {
            let keys = this(args)?.pairs().into_iter().map(|(name, _)| Dynamic::from(name));
            Ok(Dynamic::from_array(keys.collect()))
        },
    },
    Function {
        schema: "StateDict.values(StateDict self) -> Any[]",
        doc: "The values, in order.",
        example: "nn.Linear(2, 3).state_dict().values()[0].shape",
        call: |args| {
            let values = this(args)?.pairs().into_iter().map(|(_, value)| value);
            Ok(Dynamic::from_array(values.collect()))
        },
    },
    Function {
        schema: "StateDict.items(StateDict self) -> Any[]",
        doc: "Pairs [name, value], in order.",
        example: "for item in nn.Linear(2, 3).state_dict().items() { print(item[0]); }",
        call: |args| {
            let pairs = this(args)?.pairs().into_iter();
            let pairs = pairs.map(|(n, v)| Dynamic::from_array(vec![Dynamic::from(n), v]));
            Ok(Dynamic::from_array(pairs.collect()))
        },
    },
    Function {
        schema: "StateDict.contains(StateDict self, str key) -> bool",
        doc: "Whether there is an entry of that name: `\"weight\" in sd`.",
        example: "nn.Linear(2, 3).state_dict().contains(\"weight\")",
        call: |args| Ok(this(args)?.get(&args.str(1)?).is_some().into()),
    },
    Function {
        schema: "StateDict.get(StateDict self, str key, Any default=None) -> Any",
        doc: "The value of that name, or the default.",
        example: "nn.Linear(2, 3).state_dict().get(\"scale\", 1.0)",
        call: |args| {
            let value = this(args)?.get(&args.str(1)?);
            Ok(value.unwrap_or_else(|| args.take(2)))
        },
    },
    Function {
        schema: "StateDict.pop(StateDict self, str key) -> Any",
        doc: "Takes the entry of that name out and gives its value back.",
        example: "let sd = nn.Linear(2, 3).state_dict();\nsd.pop(\"bias\");\nlen(sd)",
        call: |args| {
            let (dict, key) = (this(args)?, args.str(1)?);
            dict.remove(&key).ok_or_else(|| dict.missing(&key))
        },
    },
    Function {
        schema: "StateDict.update(StateDict self, Any entries) -> ()",
        doc: "Adds or replaces entries from a map or another state dict.",
        example: "let sd = nn.Linear(2, 3).state_dict();\nsd.update(#{ bias: torch.zeros([3]) });",
        call: |args| {
            let (dict, entries) = (this(args)?, StateDict::from_value(args.get(1)));
            let entries = entries.ok_or_else(|| args.mismatch(1, "a map or a StateDict"))?;
            for (name, value) in entries.pairs() {
                dict.insert(&name, value);
            }
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "StateDict.copy(StateDict self) -> StateDict",
        doc: "Another dict with the same values (tensors are shared).",
        example: "nn.Linear(2, 3).state_dict().copy()",
        call: |args| Ok(Dynamic::from(StateDict::from_pairs(this(args)?.pairs()))),
    },
];
