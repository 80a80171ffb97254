//! The functions that scripts call.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Args, Function};
use rhai::{Dynamic, Map};

use super::run::Run;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "params(**Any defaults) -> Map",
        doc: "Declares the parameters of an experiment with their defaults, and gives their values: \
              the defaults, but for what is given on the command line (`flambeau run exp.rhai -- \
              lr=0.01`) or by a sweep.\n\n\
              A default says the kind: a bool, an integer, a float, a string, an array; `()` takes \
              anything. Names that are not declared and values of another kind are errors. Call it \
              once, first of all: a sweep runs the script up to this call to know what it may vary.",
        example: "let p = params(#{lr: 1e-3, hidden: 128, seed: 0});\n\
                  torch.manual_seed(p.seed);\n\
                  nn.Linear(4, p.hidden)",
        call: |args| {
            let defaults = entries(args)?;
            Run::of(args.ctx()).params(defaults, args.ctx()).map(Dynamic::from)
        },
    },
    Function {
        schema: "log(**Any record) -> None",
        doc: "Records metrics: numbers, tensors of one element, bools, texts, and maps of them, whose \
              entries are named `map/entry`. `step` says where on the axis they belong; without it \
              records are counted.\n\n\
              A run with a folder writes a line of `metrics.jsonl` and an event for TensorBoard; one \
              without a folder prints the record.",
        example: "for step in 0..2 {\n    let loss = 1.0 / (step + 1);\n    log(#{step, loss});\n}",
        call: |args| {
            let record = entries(args)?;
            Run::of(args.ctx()).log(record, args.ctx())?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "checkpoint(**Any state) -> None",
        doc: "Saves the state of a run, so that it can be gone on with from here: modules, optimizers, \
              schedulers, data loaders, generators (whatever has a `state_dict`), tensors, numbers, \
              texts, and maps and arrays of these. Random numbers (torch's, `random`, Python's) and \
              the place in the metrics are saved with them.\n\n\
              The file is written beside its place and renamed, and the last few stay \
              (`--keep-checkpoints`). Without a folder nothing is saved.",
        example: "let model = nn.Linear(2, 1);\n\
                  let opt = optim.SGD(model.parameters(), lr: 0.1);\n\
                  checkpoint(#{model, opt, step: 10})",
        call: |args| {
            let state = entries(args)?;
            Run::of(args.ctx()).checkpoint(state, args.ctx())?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "resume(**Any state) -> Any",
        doc: "Goes back to the last checkpoint of this run, if there is one. What is given by its name is \
              loaded in place: modules, optimizers and whatever else has a state keep their identity. \
              The result is a map of what was given, with numbers and texts as they were saved; where \
              there is no checkpoint it is what was given. Random numbers and the metrics go back to \
              that point too, so a run that was stopped gives the numbers of one that was not.\n\n\
              Without arguments: the saved states as a map, or () where there is no checkpoint. Call it \
              behind what makes the objects and before the first `log`.",
        example: "let model = nn.Linear(2, 1);\n\
                  let at = resume(#{model, step: 0});\n\
                  for step in at.step..2 { checkpoint(#{model, step: step + 1}); }",
        call: |args| {
            let state = entries(args)?;
            Run::of(args.ctx()).resume(state, args.ctx())
        },
    },
    Function {
        schema: "artifact(str path, str? name=None) -> str",
        doc: "Keeps a copy of a file or folder with the run, under `name` or its own name, and returns \
              where it is. Without a folder for the run nothing is copied, and the path comes back.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  json.write(#{acc: 0.9}, \"runs/doc/result.json\");\n\
                  artifact(\"runs/doc/result.json\")",
        call: |args| {
            let (path, name) = (args.str(0)?, args.opt_str(1)?);
            Run::of(args.ctx()).artifact(&path, name, args.ctx()).map(Dynamic::from)
        },
    },
    Function {
        schema: "report(**Any result) -> None",
        doc: "Says what the run came to: numbers, texts, bools, tensors of one element. A later call \
              adds to it. Sweeps compare by this and by what was logged last.",
        example: "report(#{acc: 0.98})",
        call: |args| {
            let result = entries(args)?;
            Run::of(args.ctx()).report(result, args.ctx())?;
            Ok(Dynamic::UNIT)
        },
    },
];

/// The entries of a call with a map.
fn entries(args: &mut Args<'_>) -> Result<Map> {
    args.map(0)
}
