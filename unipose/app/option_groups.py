"""Options that belong together are one argument of a command, a dataclass of options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def with_single_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` as typer reads it: each dataclass among its arguments as single options.

    The options are the fields of the dataclass, in their order, with their defaults::

        def edit(file: PoseFile, *, reading: ReadOptions)           # as it is written
        def edit(file: PoseFile, *, at: At = None, up: Up = None)   # as typer sees it
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    names_of = {name: [field.name for field in fields(group)] for name, group in groups.items()}

    def called(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{field: options.pop(field) for field in names_of[name]})
        command(**options)

    single: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            single.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        types = get_type_hints(group, include_extras=True)
        single += [
            parameter.replace(name=field.name, default=field.default, annotation=types[field.name])
            for field in fields(group)
        ]
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__signature__ = inspect.Signature(single)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in single}
    return called
