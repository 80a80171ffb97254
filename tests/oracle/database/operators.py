"""torch's database of operators: every entry with every sample, called by a script and by Python."""

import itertools

import torch
from torch.testing._internal.common_methods_invocations import op_db

from .calls import NoCounterpart, Redirected, name_of
from .compare import Different, Outcome, check, seed

DTYPES = (torch.float32, torch.int64)
# What entries that know neither are called with: the first that they know.
OTHERS = (torch.complex64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.bool)
# Their elements, or those that they add, are whatever the memory held.
UNSPECIFIED = {
    "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "resize_",
    "resize_as_",
}  # fmt: skip


def entry_name(entry):
    """The name with the variant of the test, which together are unique."""
    return f"{entry.name}.{entry.variant_test_name}" if entry.variant_test_name else entry.name


def entries():
    """All entries by name."""
    found = {}
    for entry in op_db:
        name = entry_name(entry)
        while name in found:
            name += "'"
        found[name] = entry
    return found


def samples(entry):
    """The arguments of each sample: dtype, positional with the input first, keywords, and what makes a result
    one that may be differentiated. Some entries have samples that want no gradient beside those that do."""
    known = entry.supported_dtypes("cpu")
    dtypes = [dtype for dtype in DTYPES if dtype in known]
    for dtype in dtypes or [dtype for dtype in OTHERS if dtype in known][:1]:
        lists = []
        if entry.supports_autograd and dtype in entry.supported_backward_dtypes("cpu"):
            lists.append(make(entry, dtype, True))
        plain = make(entry, dtype, False)
        if not lists or len(plain) > len(lists[0]):
            lists.append(plain)
        for sample in itertools.chain(*lists):
            yield dtype, (sample.input, *sample.args), sample.kwargs, sample.output_process_fn_grad


def make(entry, dtype, requires_grad):
    """The samples that torch has for this dtype."""
    seed()
    return list(entry.sample_inputs("cpu", dtype, requires_grad=requires_grad))


def variants(entry, kwargs):
    """How the entry can be called with these keywords: what it is, Python's callable."""
    yield "function", entry.op
    if entry.method_variant is not None:
        yield "method", entry.method_variant
    if entry.inplace_variant is not None:
        yield "in place", entry.inplace_variant
    if name_of(entry.operator_variant) is not None and not kwargs:
        yield "operator", entry.operator_variant


def like(ours, theirs):
    """Our tuple as the named tuple that Python gave."""
    kind = type(theirs)
    if isinstance(ours, (tuple, list)) and isinstance(theirs, tuple) and kind is not tuple:
        return kind(ours)
    return ours


class Operators:
    """The database with the script that it is compared with."""

    def __init__(self, script, differentiate):
        self.script, self.differentiate, self.entries = script, differentiate, entries()

    def run(self, name):
        """Works through one entry: how many samples it has, how many passed, and what the first that did not
        says; `absent` where scripts do not know the name."""
        entry = self.entries[name]
        count = passed = refused = 0
        first = None
        absent = set()
        for dtype, args, kwargs, finish in samples(entry):
            count += 1
            try:
                refused += self.sample(entry, args, kwargs, finish, absent)
                passed += 1
            except (Different, NoCounterpart) as difference:
                if first is None:
                    first = f"{difference} ({dtype}, sample {count})"
        return {
            "name": name, "samples": count, "passed": passed, "refused": refused, "first": first,
            "absent": sorted(absent),
        }  # fmt: skip

    def sample(self, entry, args, kwargs, finish, absent):
        """One sample in every variant; raises where one differs. True where Python itself refuses it."""
        contents = entry.name not in UNSPECIFIED
        refused = False
        for variant, callable_ in variants(entry, kwargs):
            in_place = variant == "in place"
            theirs = Outcome(
                lambda a, k: callable_(*a, **k), args, kwargs, finish=finish, in_place=in_place
            )
            refused |= variant == "function" and theirs.error is not None

            ours = Outcome(
                lambda a, k: self.call(entry, callable_, a, k, absent), args, kwargs,
                finish=lambda result: finish(like(result, theirs.results)),
                differentiate=self.differentiate, in_place=in_place,
            )  # fmt: skip
            try:
                check(ours, theirs, contents)
            except Different as difference:
                raise Different(f"{variant}: {difference}") from None
        return refused

    def call(self, entry, callable_, args, kwargs, absent):
        """What the script makes of a call of Python's `callable_`."""
        name = name_of(callable_, entry.name)
        if name is not None:
            return self.known(name, args, kwargs, absent)
        with Redirected(lambda name, a, k: self.known(name, a, k, absent), entry.name) as redirected:
            result = callable_(*args, **kwargs)
        if not redirected.seen:
            raise NoCounterpart("calls no function of torch")
        return result

    def known(self, name, args, kwargs, absent):
        try:
            return self.script(name, args, kwargs)
        except Exception as error:
            if getattr(error, "kind", None) == "NameError":
                absent.add(name)
            raise
