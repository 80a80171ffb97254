"""Parameters of papermill as variables of a script.

papermill asks packages for engines (its entry points `papermill.engine`) and has no such question for translators: so
this module is named as the place of an engine, papermill's own, and registers the translator when it is loaded.
Source: <https://papermill.readthedocs.io/en/latest/extending-entry-points.html>."""

import math
import re

from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillException
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

__all__ = ["NBClientEngine", "RhaiTranslator"]

# What a script cannot hold as it is in a string; `\u` has four digits, `\U` eight.
ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}

# `let name = value; // what it is`
PARAMETER = re.compile(r"^\s*(?:let|const)\s+([^\W\d]\w*)\s*=\s*(.*?)\s*;\s*(?://+\s*(.*?)\s*)?$", re.MULTILINE)


class RhaiTranslator(Translator):
    """Values of YAML in Rhai: a mapping is `#{…}`, null is `()`."""

    @classmethod
    def translate_escaped_str(cls, str_val):
        text = str(str_val)
        return '"' + "".join(ESCAPES.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'

    @classmethod
    def translate_none(cls, val):
        return "()"

    @classmethod
    def translate_int(cls, val):
        if not -(2**63) <= val < 2**63:
            raise PapermillException(f"{val} has more than the 64 bits of an integer in a script: pass it as a float")
        return str(val)

    @classmethod
    def translate_float(cls, val):
        if math.isfinite(val):
            return repr(val)
        return "math.nan" if math.isnan(val) else "math.inf" if val > 0 else "-math.inf"

    @classmethod
    def translate_dict(cls, val):
        entries = (f"{cls.translate_str(str(key))}: {cls.translate(value)}" for key, value in val.items())
        return "#{" + ", ".join(entries) + "}"

    @classmethod
    def translate_list(cls, val):
        return "[" + ", ".join(map(cls.translate, val)) + "]"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()

    @classmethod
    def assign(cls, name, str_val):
        return f"let {name} = {str_val};"

    @classmethod
    def inspect(cls, parameters_cell):
        """The variables that a cell declares, each on a line of its own."""
        found = PARAMETER.findall(parameters_cell["source"])
        return [Parameter(name, "None", default, help) for name, default, help in found]


papermill_translators.register("rhai", RhaiTranslator)
