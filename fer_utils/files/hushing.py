"""Libraries that print when they are imported, whatever they are asked, are imported with standard error put away."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_STDERR = 2


def hush(name: str) -> None:
    """From now on, what the top-level package `name` and its libraries print to standard error on import is lost.

    What goes wrong during the import is raised as ever. Calling it twice does no harm.
    """
    if name not in sys.modules and not any(isinstance(f, _Hushed) and f.name == name for f in sys.meta_path):
        sys.meta_path.insert(0, _Hushed(name))


class _Hushed(MetaPathFinder):
    """Finds one package as Python does and gives it a loader that is quiet."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib`."""
        if fullname != self.name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                with _silence():
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _silence() -> Iterator[None]:
    """Standard error put away, of C libraries too, where there is one."""
    try:
        kept, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)
