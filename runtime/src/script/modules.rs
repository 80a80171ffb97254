//! `import "file" as m;`, relative to the script and through the sandbox.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{
    AST, ASTNode, Engine, EvalAltResult, Expr, Module, ModuleResolver, ParseError, Position, Scope,
    Shared, Stmt,
};

use super::errors::to_rhai;
use super::state::State;
use super::sugar;
use crate::error::{Error, Result};

/// The files that scripts import, each read once per session.
pub(crate) struct Imports {
    state: Rc<State>,
    /// Compiled and not yet run.
    compiled: RefCell<HashMap<PathBuf, AST>>,
    known: RefCell<HashMap<PathBuf, Shared<Module>>>,
}

/// Gives Rhai the modules of [`Imports`].
pub(crate) struct Resolver(pub Rc<Imports>);

/// What keeps a file from being a module.
enum Failure {
    Ours(Error),
    /// Its name, and what the parser says.
    Parse(String, ParseError),
}

impl Imports {
    pub(crate) fn new(state: Rc<State>) -> Rc<Imports> {
        Rc::new(Imports { state, compiled: RefCell::default(), known: RefCell::default() })
    }

    /// The file that `import "path"` means in `source`.
    fn file(&self, source: Option<&str>, path: &str) -> Result<PathBuf> {
        file(&self.state, source, path)
    }

    fn compile(&self, engine: &Engine, file: &Path) -> std::result::Result<AST, Failure> {
        let (name, text) = read(file).map_err(Failure::Ours)?;
        let desugared = sugar::desugar(engine, &text, &sugar::Earlier::default());
        let compiled = engine.compile(&desugared.text);
        self.state.sources.borrow_mut().insert(name.clone(), (text, desugared));
        let mut ast = compiled.map_err(|error| Failure::Parse(name.clone(), error))?;
        ast.set_source(name);
        self.state.learn_functions(&ast);
        Ok(ast)
    }

    /// Compiles the files that a script imports by name, and those that these import, so that what they
    /// mention can be registered before they run. What cannot be read or compiled is reported when its
    /// import runs.
    pub(crate) fn read_ahead(&self, engine: &Engine, ast: &AST) -> Vec<AST> {
        let mut found: Vec<AST> = Vec::new();
        let mut waiting = vec![ast.clone()];
        while let Some(ast) = waiting.pop() {
            let mut paths = Vec::new();
            ast.walk(&mut |path: &[ASTNode<'_>]| {
                if let Some(ASTNode::Stmt(Stmt::Import(parts, _))) = path.last()
                    && let Expr::StringConstant(name, _) = &parts.0
                {
                    paths.push(name.to_string());
                }
                true
            });
            for path in paths {
                let Ok(file) = self.file(ast.source(), &path) else { continue };
                if self.known.borrow().contains_key(&file)
                    || self.compiled.borrow().contains_key(&file)
                {
                    continue;
                }
                let Ok(ast) = self.compile(engine, &file) else { continue };
                self.compiled.borrow_mut().insert(file, ast.clone());
                found.push(ast.clone());
                waiting.push(ast);
            }
        }
        found
    }
}

/// The file that a script of `source` names: relative to its own file, which a module is named by.
///
/// # Errors
/// A `PermissionError` that names the option to allow it.
pub(crate) fn file(state: &State, source: Option<&str>, path: &str) -> Result<PathBuf> {
    let base = source
        .map(PathBuf::from)
        .filter(|file| file.is_file())
        .and_then(|file| file.parent().map(PathBuf::from))
        .or_else(|| state.folder.clone())
        .unwrap_or_default();
    let mut file = base.join(path);
    if file.extension().is_none() {
        file.set_extension("rhai");
    }
    state.permissions.readable(&file.to_string_lossy())
}

/// The text of a script's file, and the name that reports give it.
///
/// # Errors
/// An `IoError` where it cannot be read or is no text.
pub(crate) fn read(file: &Path) -> Result<(String, String)> {
    let text = std::fs::read_to_string(file).map_err(|cause| unreadable(file, &cause))?;
    Ok((shown(file).to_string_lossy().into_owned(), text))
}

fn unreadable(file: &Path, cause: &std::io::Error) -> Error {
    match cause.kind() {
        std::io::ErrorKind::NotFound => Error::io(shown(file), "no such file"),
        std::io::ErrorKind::InvalidData => Error::io(shown(file), "is no UTF-8 text"),
        _ => Error::io(shown(file), cause),
    }
}

/// The path as reports name it: relative where it is below the current folder.
fn shown(file: &Path) -> PathBuf {
    let folder = std::env::current_dir().ok();
    folder
        .and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned))
        .unwrap_or_else(|| file.to_owned())
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> std::result::Result<Shared<Module>, Box<EvalAltResult>> {
        let imports = &self.0;
        let file = imports.file(source, path).map_err(|error| to_rhai(error, position))?;
        if let Some(module) = imports.known.borrow().get(&file) {
            return Ok(module.clone());
        }
        let ahead = imports.compiled.borrow_mut().remove(&file);
        let ast = ahead.map_or_else(|| imports.compile(engine, &file), Ok);
        let ast = ast.map_err(|failure| match failure {
            Failure::Ours(error) => to_rhai(error, position),
            Failure::Parse(name, error) => Box::new(EvalAltResult::ErrorInModule(
                name,
                Box::new(EvalAltResult::ErrorParsing(*error.0, error.1)),
                position,
            )),
        })?;
        super::engine::mentioned(&ast).note_assigned(&imports.state);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|error| {
            // A limit or Ctrl-C goes through as it is: behind a module's name a script could catch it.
            if !error.is_catchable() {
                return error;
            }
            let name = ast.source().unwrap_or(path).to_owned();
            Box::new(EvalAltResult::ErrorInModule(name, error, position))
        })?;
        let module: Shared<Module> = module.into();
        imports.known.borrow_mut().insert(file, module.clone());
        Ok(module)
    }
}
