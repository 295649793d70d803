"""What someone may have meant who typed an unknown verb or option, or left one out, or gave a value of another kind."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup

UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""The error of a command line that does not fit; Typer has it under different names in different versions."""

VERBS = {
    "agree": "compare A.csv B.csv",
    "benchmark": "bench",
    "crop": "align",
    "download": "data get",
    "env": "doctor",
    "eval": "evaluate",
    "fetch": "data get",
    "finetune": "train",
    "fit": "train",
    "generate": "data synth",
    "gradcam": "show gradient",
    "grid-search": "tune",
    "help": "--help",
    "hpo": "tune",
    "infer": "identify",
    "info": "doctor",
    "install": "doctor",
    "kaggle": "submit --upload COMPETITION",
    "leave-one-out": "gallery evaluate",
    "models": "recipes",
    "onnx": "export",
    "plot": "report",
    "predict": "submit",
    "recognise": "identify",
    "recognize": "identify",
    "rehearse": "doctor --smoke",
    "resume": "train --resume",
    "robustness": "stress",
    "saliency": "show gradient",
    "same": "match",
    "score": "evaluate",
    "smoke": "doctor --smoke",
    "sweep": "tune",
    "synthesize": "data synth",
    "test": "evaluate",
    "throughput": "bench --loader RECIPE",
    "val": "evaluate",
    "validate": "evaluate",
    "verify-all": "verify --all-pairs",
    "version": "--version",
    "weights": "networks get",
    "visualize": "show features",
    "who": "identify",
}
"""What other tools call a job, and what `faces` calls it."""

OPTIONS = {
    "--aligned": ("--no-align",),
    "--batch": ("--batch-size",),
    "--bs": ("--batch-size",),
    "--checkpoint": ("--weights",),
    "--cuda": ("--device",),
    "--data-dir": ("--data", "--images", "--test"),
    "--dataset": ("--data", "--images"),
    "--fmr": ("--far",),
    "--fpr": ("--far",),
    "--gpu": ("--device",),
    "--image-size": ("--size",),
    "--img-size": ("--size",),
    "--imgsz": ("--size",),
    "--learning-rate": ("--lr",),
    "--least": ("--min-probability", "--min-votes"),
    "--model": ("--backbone",),
    "--name": ("--out",),
    "--num-workers": ("--workers",),
    "--output": ("--out",),
    "--output-dir": ("--out",),
    "--people": ("--identities",),
    "--pretrained": ("--weights",),
    "--project": ("--out",),
    "--resolution": ("--size",),
    "-b": ("--batch-size",),
    "-d": ("--data",),
    "-e": ("--epochs",),
    "-j": ("--workers",),
    "-o": ("--out",),
}
"""What other tools call an option, and what `faces` calls it, where the command has one of these."""


class SuggestingGroup(TyperGroup):
    """A group of commands that answers a wrong verb or option with the right one, and a wrong value in plain words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; of an unknown one, say what may have been meant."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(_unknown_verb(args[0], args[1:], ctx))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; of an unknown option, say what may have been meant; of a wrong value, what was expected."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            option = getattr(error, "option_name", None)
            if option and hasattr(error, "possibilities") and error.ctx:  # NoSuchOption, whatever module it is from
                error.possibilities = None
                error.message = f"No such option: {_shown(option)}. {meant_option(option, error.ctx.command)}".rstrip()
            elif hasattr(error, "param_type") and error.param is not None and error.ctx:  # MissingParameter
                raise UsageError(_missing(error.param, error.ctx.command), error.ctx) from None
            elif hasattr(error.__cause__, "errors"):  # pydantic's, by which Typer converts values
                from experiments.errors import expected_words

                problem = error.__cause__.errors()[0]
                found = "" if problem["type"] == "value_error" else f", found {_shown(str(problem['input']))}"
                error.message = expected_words(problem) + found
            raise


def meant_verb(word: str, group: Any, group_is_inside: bool = False) -> list[str]:
    """What an unknown verb may mean, as typed below `group`, the most similar first; empty for no idea."""
    names = [name for name, _ in commands_of(group)]
    typed = word.lower().replace("_", "-")
    spaced = [name for name in names if name.replace(" ", "-") == typed]
    found = spaced or [name for name in names if name.rpartition(" ")[2] == typed]
    if found:
        return found
    others = {} if group_is_inside else VERBS
    if typed in others:
        return [others[typed]]
    by_word: dict[str, list[str]] = {}
    for name in names:
        for key in {name, name.replace(" ", "-"), name.rpartition(" ")[2], name.partition(" ")[0]}:
            by_word.setdefault(key, []).append(name if key != name.partition(" ")[0] else key)
    near = get_close_matches(typed, [*by_word, *others], n=2, cutoff=0.65)
    found = list(dict.fromkeys(name for key in near for name in by_word.get(key, [others.get(key, key)])))
    return [name for name in found if name.count(" ") == min(one.count(" ") for one in found)][:3]


def meant_option(option: str, command: Any) -> str:
    """A sentence about what an unknown option of a command may mean; empty for no idea."""
    known = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    known = [name for name in known if name.startswith("-")]
    typed = option.partition("=")[0].lower().replace("_", "-")
    key = _setting(typed.lstrip("-").replace("-", "_")) if "--set" in known else None
    if typed in known:
        return f"Did you mean {typed}?"
    if names := [name for name in OPTIONS.get(typed, ()) if name in known]:
        return f"Did you mean {' or '.join(names)}?"
    if key:
        return f"It is a setting of the recipe: --set {key}=VALUE"
    if near := get_close_matches(typed, known, n=2, cutoff=0.6):
        return f"Did you mean {' or '.join(near)}?"
    return "See --help for what there is."


def commands_of(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group that does something, by its full name such as "data pack"."""
    for word, command in group.commands.items():
        name = f"{before} {word}".strip()
        if hasattr(command, "commands"):
            yield from commands_of(command, name)
        else:
            yield name, command


def _unknown_verb(word: str, rest: Sequence[str], ctx: Any) -> str:
    root = ctx.find_root()
    inside = [f"{ctx.info_name} {name}" for name in meant_verb(word, ctx.command, True)] if ctx.parent else []
    # "faces data show conv" and "faces export-onnx" are looked for among all verbs as well
    both = meant_verb(f"{word}-{rest[0]}", root.command)[:1] if rest and not rest[0].startswith("-") else []
    exact = [name for name in both if name.replace(" ", "-") == f"{word}-{rest[0]}"]
    found = list(dict.fromkeys(exact or inside or meant_verb(word, root.command)))
    if not found:
        return f"No such command: {_shown(word)}. {ctx.command_path} -h lists all."
    return f"No such command: {_shown(word)}. Did you mean {' or '.join(f'{root.info_name} {name}' for name in found)}?"


def _missing(parameter: Any, command: Any) -> str:
    """Say which arguments or which option a command needs, and what the missing one is."""
    if parameter.param_type_name == "option":
        return f"{parameter.opts[0]} is missing: {parameter.help}"
    arguments = [one for one in command.params if one.param_type_name == "argument" and one.required]
    given = arguments.index(parameter)
    names = [one.metavar or one.name.upper() for one in arguments]
    found = f", found {given}" if given else ""
    meaning = "; ".join(f"{name}: {(one.help or '').rstrip('.')}" for name, one in zip(names, arguments, strict=True))
    return f"Expected {len(names)} argument{'s' if len(names) > 1 else ''}{found}. {meaning}."


def _setting(name: str) -> str | None:
    """The full name of a recipe's setting: of "dropout" model.dropout; None where there is none."""
    from experiments.config.explain import setting_names
    from experiments.config.recipe import Recipe

    found = [f"{group}.{name}".lstrip(".") for group, names in setting_names(Recipe).items() if name in names]
    return min(found, key=len) if found else None


def _shown(text: str) -> str:
    """What was typed, in quotes, without what a terminal would obey."""
    return ascii(text) if not text.isprintable() else repr(text)
