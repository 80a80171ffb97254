"""Cells of a prompt or a notebook: running them, completion, help. `wait` comes from `bridge.py`, `keys` and
`parameters` from `assistance.py`."""

import __future__
import ast
import builtins
import importlib.util
import inspect
import io
import keyword
import linecache
import operator
import os
import pkgutil
import re
import sys
import tokenize
import types

# The names that cells share: `py.eval` and `py.exec` see them too.
main = sys.modules["__main__"].__dict__

# `from __future__ import …` of a cell holds for the next ones.
flags = 0

# Whoever mentions one of these may mean any name.
REFLECTIVE = {"globals", "locals", "vars", "dir", "eval", "exec", "__main__"}


class Cell:
    """A compiled cell: its statements, and the expression at its end, whose value it shows."""

    def __init__(self, body, value, names):
        self.body, self.value, self.names = body, value, names


def mentioned(code):
    """The names that code reads and writes, functions in it too."""
    names = set(code.co_names) | set(code.co_varnames)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= mentioned(constant)
    return names


def compile_cell(text, name):
    """The cell; its lines are kept for tracebacks. An indented text is one that was copied from a block."""
    global flags
    text = dedented(text)
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    compiled = flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(text, name, "exec", compiled | ast.PyCF_ONLY_AST, dont_inherit=True)
    value = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not silent(text):
        value = ast.Expression(tree.body.pop().value)
    body = compile(tree, name, "exec", compiled, dont_inherit=True)
    names = mentioned(body)
    if value is not None:
        value = compile(value, name, "eval", compiled, dont_inherit=True)
        names |= mentioned(value)
    flags |= body.co_flags & FUTURE
    return Cell(body, value, names)


FUTURE = 0
for feature in __future__.all_feature_names:
    FUTURE |= getattr(__future__, feature).compiler_flag


def dedented(text):
    """The text with the indentation of its first line taken away, where it has one."""
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    margin = first[: len(first) - len(first.lstrip())]
    if not margin:
        return text
    return "\n".join(line.removeprefix(margin) for line in text.split("\n"))


def silent(text):
    """Whether a `;` at the end says that the value is not to be shown."""
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        skipped = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER, tokenize.DEDENT)
        last = [token.string for token in tokens if token.type not in skipped][-1:]
    except (tokenize.TokenError, SyntaxError):
        return False
    return last == [";"]


def run_cell(cell):
    """Its value; None where it has none."""
    finish(eval(cell.body, main))
    return None if cell.value is None else finish(eval(cell.value, main), cell.value)


def finish(result, code=None):
    """Runs a cell with `await` to its end."""
    awaits = code is None or code.co_flags & inspect.CO_COROUTINE
    return wait(result) if awaits and inspect.iscoroutine(result) else result  # noqa: F821 - of bridge.py


def changed(before):
    """The names that were bound and unbound since `before` was copied."""
    missing = object()
    bound = [
        (name, value)
        # Another thread may bind something meanwhile.
        for name, value in list(main.items())
        if value is not before.get(name, missing)
        and not (name.startswith("__") and name.endswith("__"))
        and name.isidentifier()
        # Such a value would be run by being looked at.
        and not inspect.iscoroutine(value)
    ]
    return bound, [name for name in before if name not in main]


def place(error, source):
    """The line and the column that were reached in a cell when an exception was raised, counted from 1; None where
    the cell has nothing to do with it."""
    if isinstance(error, SyntaxError) and error.filename == source and error.lineno:
        return error.lineno, max(error.offset or 1, 1)
    last, found = error.__traceback__, None
    while last is not None:
        if last.tb_frame.f_code.co_filename == source:
            found = last
        last = last.tb_next
    if found is None:
        return None
    line, column = found.tb_lineno, 1
    text = linecache.getline(source, line)
    if hasattr(found.tb_frame.f_code, "co_positions") and found.tb_lasti >= 0:
        positions = list(found.tb_frame.f_code.co_positions())[found.tb_lasti // 2]
        if positions[0] == line and positions[2] is not None:
            column = len(text.encode()[: positions[2]].decode(errors="replace")) + 1
    else:
        column = len(text) - len(text.lstrip()) + 1
    return line, column


def forget():
    """Takes all names away that cells and `py.exec` have bound."""
    for name in [name for name in main if not (name.startswith("__") and name.endswith("__"))]:
        del main[name]


# Names with attributes and plain indices behind them.
CHAIN = r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[(?:-?\d+|\"[^\"\n]*\"|'[^'\n]*')\])*"


def look_up(chain):
    """What a chain of names means."""
    first, *rest = re.findall(r"\w+|\[[^\]]*\]", chain)
    value = main[first] if first in main else getattr(builtins, first)
    for part in rest:
        if part.startswith("["):
            value = operator.getitem(value, ast.literal_eval(part[1:-1]))
        else:
            value = getattr(value, part)
    return value


def complete(before, names):
    """Where the word at the end of a text begins, in characters, and everything that may stand there: its text,
    what it is, and its type or signature. `names` are those that only the session knows, with their types."""
    line = before.rsplit("\n", 1)[-1]
    found = re.search(rf"({CHAIN})\[(['\"])([^'\"\\\n]*)$", line)
    if found is not None:
        named = [(key, "key", None) for key in attempt(keys, attempt(look_up, found[1]), [])]  # noqa: F821
        return len(before) - len(found[3]), named or files(found[3])
    found = re.match(r"\s*(?:from\s+([\w.]+)\s+import\s+(?:\(?[\w\s,]*,\s*)?|import\s+(?:.*,\s*)?)([\w.]*)$", line)
    if found is None:
        found = re.match(r"\s*(from)\s+([\w.]*)$", line)
        within = None
    else:
        within = found[1]
    if found is not None:
        word = found[2] if within else found[2].rpartition(".")[2]
        return len(before) - len(word), importable(within, found[2])
    opened = unclosed(line)
    if opened is not None:
        return len(before) - len(opened), files(opened)
    word = re.search(r"\w*$", line)[0]
    start = len(before) - len(word)
    if line[: len(line) - len(word)].endswith("."):
        found = re.search(rf"({CHAIN})\.$", line[: len(line) - len(word)])
        if found is not None:
            value = attempt(look_up, found[1], missing)
        else:
            quoted = re.search(r"(['\"])\.$", line[: len(line) - len(word)])
            value = "" if quoted else missing
        return start, [] if value is missing else attributes(value)
    if re.match(r"\d", word):
        return start, []
    return start, arguments(before[:start]) + in_scope(names)


missing = object()


def attempt(function, argument, otherwise=None):
    """What a function gives, or nothing where it fails: completion must not."""
    try:
        return function(argument)
    except Exception:
        return otherwise


def unclosed(line):
    """What stands in a string that the line leaves open."""
    quote, start = None, 0
    at = 0
    while at < len(line):
        sign = line[at]
        if quote is None:
            if sign == "#":
                return None
            if sign in "'\"":
                quote, start = sign, at + 1
        elif sign == "\\":
            at += 1
        elif sign == quote:
            quote = None
        at += 1
    return None if quote is None else line[start:]


def files(word):
    """Files that begin so, folders with a `/`."""
    folder, _, begin = word.rpartition("/")
    folder = folder + "/" if "/" in word else ""
    found = attempt(os.listdir, os.path.expanduser(folder) or ".", [])
    return [
        (folder + name + ("/" if os.path.isdir(os.path.join(os.path.expanduser(folder), name)) else ""), "file", None)
        for name in sorted(found)
        if not name.startswith(".") or begin.startswith(".")
    ]


def importable(within, word):
    """Modules, or what is in one."""
    if within:
        module = sys.modules.get(within) or attempt(importlib.import_module, within)
        names = dir(module) if module is not None else []
        found = [(name, "name", None) for name in names]
        path = getattr(module, "__path__", None)
    else:
        package = word.rpartition(".")[0]
        if package:
            spec = attempt(importlib.util.find_spec, package)
            path = spec.submodule_search_locations if spec is not None else []
        else:
            path = None
        found = [] if package else [(name, "module", None) for name in sys.builtin_module_names]
        if path is not None:
            path = list(path)
    if not (within and path is None):
        found += [(module.name, "module", None) for module in pkgutil.iter_modules(path)]
    return sorted(set(found))


def describe_type(value):
    """The name of a value's type."""
    return type(value).__name__


def attributes(value):
    """What `dir` lists; no descriptor's code is called for it."""
    found = []
    for name in attempt(dir, value, []):
        member = inspect.getattr_static(value, name, None) if isinstance(name, str) else None
        if isinstance(member, (staticmethod, classmethod)) or inspect.isroutine(member):
            found.append((name, "method", None))
        elif isinstance(name, str):
            found.append((name, "attribute", None if isinstance(member, property) else describe_type(member)))
    return found


def arguments(before):
    """Named arguments of the call that a text stands in."""
    depth, at = 0, len(before)
    while at > 0:
        at -= 1
        sign = before[at]
        if sign in ")]}":
            depth += 1
        elif sign in "[{(":
            if depth == 0:
                break
            depth -= 1
    else:
        return []
    called = re.search(rf"({CHAIN})$", before[:at]) if before[at] == "(" else None
    function = attempt(look_up, called[1]) if called else None
    if not callable(function):
        return []
    given = set(re.findall(r"(\w+)\s*=", before[at:]))
    known, _ = attempt(parameters, function, ([], None))  # noqa: F821
    return [(name + "=", "argument", default) for name, _, named, _, default in known if named and name not in given]


def in_scope(names):
    """Names that stand by themselves."""
    found = {name: (name, "variable", kind) for name, kind in names}
    for name, value in main.items():
        if not (name.startswith("__") and name.endswith("__")):
            found[name] = (name, "function" if callable(value) else "variable", describe_type(value))
    for name in dir(builtins):
        if not name.startswith("_"):
            found.setdefault(name, (name, "function", None))
    for name in keyword.kwlist:
        found.setdefault(name, (name, "keyword", None))
    return list(found.values())


def document(name):
    """Signature or type, what it holds, its documentation and its file; None for an unknown name."""
    value = attempt(look_up, name, missing) if re.fullmatch(CHAIN, name) else missing
    if value is missing:
        return None
    signature = attempt(inspect.signature, value) if callable(value) else None
    if signature is not None:
        parts = [f"{name}{signature}"]
    else:
        parts = [f"{name}: {type(value).__module__}.{type(value).__qualname__}".replace(": builtins.", ": ")]
    if not callable(value) and not isinstance(value, types.ModuleType):
        parts.append(attempt(repr, value, ""))
    text = attempt(inspect.getdoc, value)
    if text:
        parts.append(text)
    file = attempt(inspect.getsourcefile, value)
    if file is not None:
        parts.append(f"File: {file}")
    return "\n\n".join(parts)


def source(name):
    """The text that defines an object; None where there is none."""
    value = attempt(look_up, name, missing) if re.fullmatch(CHAIN, name) else missing
    if value is missing:
        return None
    defined = value if inspect.isroutine(value) or inspect.ismodule(value) or inspect.isclass(value) else type(value)
    found = attempt(inspect.getsource, inspect.unwrap(defined) if callable(defined) else defined)
    return found or class_in_a_cell(defined)


def class_in_a_cell(value):
    """The text of a class that a cell has defined: it belongs to no file."""
    if not inspect.isclass(value) or value.__module__ != "__main__":
        return None
    for name, entry in reversed(list(linecache.cache.items())):
        if len(entry) == 4 and entry[1] is None:
            text = "".join(entry[2])
            tree = attempt(ast.parse, text)
            for node in ast.walk(tree) if tree is not None else ():
                if isinstance(node, ast.ClassDef) and node.name == value.__qualname__.rpartition(".")[2]:
                    return ast.get_source_segment(text, node)
    return None
