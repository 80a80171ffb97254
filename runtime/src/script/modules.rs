//! `import "file" as m;`, relative to the script and through the sandbox.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::errors::to_rhai;
use super::session::Sources;
use super::state::State;
use super::sugar;
use crate::error::Error;

/// Reads modules from files ending in `.rhai`, each once per session.
pub(crate) struct Resolver {
    folder: Option<PathBuf>,
    state: Rc<State>,
    sources: Sources,
    known: RefCell<HashMap<PathBuf, Shared<Module>>>,
}

impl Resolver {
    pub(crate) fn new(folder: Option<PathBuf>, state: Rc<State>, sources: Sources) -> Resolver {
        Resolver { folder, state, sources, known: RefCell::default() }
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let raise = |error: Error| to_rhai(error, position);
        // Relative to the importing file, which a module names by its path.
        let base = source
            .map(PathBuf::from)
            .filter(|file| file.is_file())
            .and_then(|file| file.parent().map(PathBuf::from))
            .or_else(|| self.folder.clone())
            .unwrap_or_default();
        let mut file = base.join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        let shown = file.to_string_lossy().into_owned();
        let file = self.state.permissions.readable(&shown).map_err(raise)?;
        if let Some(module) = self.known.borrow().get(&file) {
            return Ok(module.clone());
        }
        let text =
            std::fs::read_to_string(&file).map_err(|cause| raise(Error::io(&file, cause)))?;
        let name = file.to_string_lossy().into_owned();
        let desugared = sugar::desugar(engine, &text, &sugar::Earlier::default());
        self.sources.borrow_mut().insert(name.clone(), (text, desugared.clone()));
        let mut ast = engine.compile(&desugared.text).map_err(|error| {
            Box::new(EvalAltResult::ErrorInModule(
                name.clone(),
                Box::new(EvalAltResult::ErrorParsing(*error.0, error.1)),
                position,
            ))
        })?;
        ast.set_source(name.as_str());
        super::engine::mentioned(&ast).note_assigned(&self.state);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|error| {
            Box::new(EvalAltResult::ErrorInModule(name.clone(), error, position))
        })?;
        let module: Shared<Module> = module.into();
        self.known.borrow_mut().insert(file, module.clone());
        Ok(module)
    }
}
