"""A notebook as a script, for `jupyter nbconvert --to script`.

Cells that stand below one another are no script yet: the value at the end of a cell has no semicolon, a cell may be in
Python, and text is none of both. Source: <https://nbconvert.readthedocs.io/en/latest/external_exporters.html>."""

import re

from nbconvert.exporters import Exporter
from pygments.token import Comment

from .lexer import RhaiLexer

# The marks behind which a cell goes on in a language.
MARK = re.compile(r"^%%(python|py|rhai)[ \t]*$", re.MULTILINE)
# Quarto's options: a script knows them by the sign of its own comments.
OPTION = re.compile(r"^#\|", re.MULTILINE)


def ended(code):
    """A part of a script with a semicolon behind its last statement, before a comment."""
    end = 0
    for place, kind, value in RhaiLexer().get_tokens_unprocessed(code):
        if value.strip() and kind not in Comment:
            end = place + len(value)
    return code if end == 0 or code[:end].endswith(";") else f"{code[:end]};{code[end:]}"


class RhaiExporter(Exporter):
    """Cells of both languages with marks between them, and other cells as comments: what `flambeau run` runs."""

    file_extension = ".rhai"
    output_mimetype = "text/x-rhai"

    def from_notebook_node(self, nb, resources=None, **kw):
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        parts, language = [], "rhai"

        def add(text, wanted):
            nonlocal language
            if text.strip():
                mark = {"rhai": "%%rhai\n", "python": "%%python\n"}[wanted] if wanted != language else ""
                language = wanted
                parts.append(mark + text.strip("\n") + "\n")

        for cell in nb.cells:
            if cell.cell_type != "code":
                add("\n".join(f"// {line}".rstrip() for line in cell.source.splitlines()), "rhai")
                continue
            first, *rest = MARK.split(cell.source)
            add(ended(OPTION.sub("//|", first)), "rhai")
            for name, code in zip(rest[::2], rest[1::2]):
                add(ended(code) if name == "rhai" else code, "rhai" if name == "rhai" else "python")
        return "\n".join(parts), resources
