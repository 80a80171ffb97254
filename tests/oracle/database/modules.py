"""torch's database of modules: every entry with every sample, built and called by a script and by Python."""

import torch
from torch.testing._internal.common_modules import module_db

from .compare import Different, Outcome, check, copies, same, seed


def samples(entry):
    """The arguments of each sample, in training and in evaluation."""
    for training in (True, False):
        seed()
        inputs = entry.module_inputs_func(
            entry, device="cpu", dtype=torch.float32, requires_grad=True, training=training
        )
        for sample in inputs:
            if sample.forward_input is not None:
                yield training, sample.constructor_input, sample.forward_input


class Recorded(torch.nn.TransformerEncoderLayer):
    """The only module that is an argument of another one; it knows what it was made with."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made_with = args, kwargs


class Modules:
    """The database with the script that it is compared with."""

    def __init__(self, script, differentiate):
        self.script, self.differentiate = script, differentiate
        self.entries = {entry.name: entry for entry in module_db}
        torch.nn.TransformerEncoderLayer = Recorded

    def run(self, name):
        """As `Operators.run`."""
        entry = self.entries[name]
        count = passed = 0
        first = None
        absent = set()
        for training, made_with, called_with in samples(entry):
            count += 1
            try:
                self.sample(entry, training, made_with, called_with, absent)
                passed += 1
            except Different as difference:
                if first is None:
                    first = f"{difference} ({'train' if training else 'eval'}, sample {count})"
        return {
            "name": name, "samples": count, "passed": passed, "refused": 0, "first": first,
            "absent": sorted(absent),
        }  # fmt: skip

    def make(self, name, args, kwargs, absent):
        """The script's module of this name."""

        def cross(value):
            if isinstance(value, Recorded):
                return self.make("nn.TransformerEncoderLayer", *value.made_with, absent)
            return value

        args, kwargs = [cross(value) for value in args], {k: cross(v) for k, v in kwargs.items()}
        try:
            return self.script(name, args, kwargs)
        except Exception as error:
            if getattr(error, "kind", None) == "NameError":
                absent.add(name)
            raise

    def sample(self, entry, training, made_with, called_with, absent):
        """One sample; raises where one side differs."""
        args, kwargs = copies((made_with.args, made_with.kwargs))
        seed()
        theirs = entry.module_cls(*args, **kwargs)
        theirs.train(training)
        args, kwargs = copies((made_with.args, made_with.kwargs))
        seed()
        try:
            ours = self.make(entry.name, args, kwargs, absent)
        except Exception as error:
            raise Different(f"the constructor: {type(error).__name__}: {error}") from None
        self.script(".train", (ours, training), {})
        if not entry.is_lazy:
            # A module among the arguments was made earlier, from other random numbers.
            if not any(isinstance(value, Recorded) for value in made_with.args):
                same(self.state(ours), theirs.state_dict(), "what it begins with")
            self.script(".load_state_dict", (ours, dict(theirs.state_dict())), {})
        expected = Outcome(
            lambda a, k: theirs(*a, **k), called_with.args, called_with.kwargs,
            parameters=lambda: list(theirs.parameters()),
        )  # fmt: skip
        found = Outcome(
            lambda a, k: self.script("call", (ours, *a), k), called_with.args, called_with.kwargs,
            differentiate=self.differentiate, parameters=lambda: self.script(".parameters", (ours,), {}),
        )  # fmt: skip
        check(found, expected)
        same(self.state(ours), theirs.state_dict(), "its state afterwards")

    def state(self, module):
        """The state of a script's module as a dict in its order."""
        return dict(self.script("state", (module,), {}))
