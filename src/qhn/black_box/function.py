"""A function of the user's own: found by name without running it, known by its source file, and loaded from it.

Finding a function reads its file and runs nothing, neither the module nor the packages around it. Loading it runs the
bytes that were hashed, whatever Python's cache of compiled modules holds.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from operator import attrgetter
from pathlib import Path
from typing import Any

from qhn.errors import NotFoundError, QhnError
from qhn.text import did_you_mean, shown


@dataclass(frozen=True)
class UserFunction:
    """A function in a source file.

    Attributes:
        module: dotted name of the module.
        name: name of the function in the module, dotted if it is in a class.
        source: path of the module's source file.
        sha256: hash of the bytes of that file, in hexadecimal.
    """

    module: str
    name: str
    source: Path
    sha256: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @property
    def root(self) -> Path:
        """The folder from which the module is imported by its name."""
        above = self.module.count(".") + (self.source.name == "__init__.py")
        return self.source.parents[above]

    @classmethod
    def find(cls, text: str, folders: Sequence[Path] = ()) -> UserFunction:
        """The function that a text names; nothing of it is run.

        Args:
            text: ``"module:function"``.
            folders: folders that are searched before the working directory and the installed modules.

        Raises:
            QhnError: if the text names no function, or the module has no source file.
            NotFoundError: if there is no such module.

        >>> UserFunction.find("textwrap:dedent").source.name
        'textwrap.py'
        """
        module, name = split_name(text)
        source = _source_of(module, [*folders, Path.cwd()])
        return cls(module, name, source, hashlib.sha256(source.read_bytes()).hexdigest())

    @classmethod
    def of(cls, function: Callable[..., Any]) -> UserFunction | None:
        """The place of a function that a module in a file defines by a name of its own; None for any other function.

        >>> import textwrap
        >>> str(UserFunction.of(textwrap.dedent)), UserFunction.of(lambda bits: 0.0)
        ('textwrap:dedent', None)
        """
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        inside = sys.modules.get(module or "")
        source = Path(getattr(inside, "__file__", None) or "")
        if module in (None, "__main__") or not name or source.suffix != ".py":
            return None
        try:
            if attrgetter(name)(inside) is not function:  # such as a method, which has an object with it
                return None
        except AttributeError:
            return None
        return cls(str(module), name, source.absolute(), hashlib.sha256(source.read_bytes()).hexdigest())

    def content(self) -> bytes:
        """The bytes of the source file, after a check that they are still those that were hashed.

        Raises:
            NotFoundError: if the file is gone.
            QhnError: if it has changed.
        """
        try:
            content = self.source.read_bytes()
        except OSError:
            raise NotFoundError(f"the function {self} is gone: {self.source} cannot be read; restore it") from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise QhnError(f"{self.source} has changed since {self} was read: restore it, or begin a new run")
        return content

    def load(self) -> Callable[..., Any]:
        """Run the module and return the function; a package around the module is imported as usual.

        Exceptions of the module pass.

        Raises:
            QhnError: if the file has changed, or the module has no such function.
        """
        content = self.content()
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        package = self.module.rpartition(".")[0]
        if package:
            importlib.import_module(package)
        inside = [str(self.source.parent)] if self.source.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(self.module, self.source, submodule_search_locations=inside)
        assert spec is not None, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        exec(compile(content, str(self.source), "exec", dont_inherit=True), vars(module))
        try:
            function = attrgetter(self.name)(module)
        except AttributeError:
            names = [name for name, value in vars(module).items() if callable(value)]
            hint = did_you_mean(self.name, names, otherwise=f"it has {', '.join(names) or 'no function'}")
            raise QhnError(f"{self.source} has no function {self.name}; {hint}") from None
        if not callable(function):
            raise QhnError(f"{self} must be a function of bits, and is {shown(function)}")
        return function  # type: ignore[no-any-return]


def split_name(text: str) -> tuple[str, str]:
    """The module and the function of ``"module:function"``.

    Raises:
        QhnError: if the text is written in another way.
    """
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise QhnError(
            f"a function is named 'module:function', such as 'mine:cost' for cost in mine.py; got {shown(text)}"
        )
    return module, name


def _source_of(module: str, folders: Sequence[Path]) -> Path:
    """The source file of a module.

    Raises:
        QhnError: if the module has none.
        NotFoundError: if there is no such module.
    """
    first, *inner = module.split(".")
    importlib.invalidate_caches()  # of files that were written a moment ago
    try:
        spec = PathFinder.find_spec(first, [str(folder.absolute()) for folder in folders])
        spec = spec if spec is not None and _is_something(spec, inner) else importlib.util.find_spec(first)
        for part in inner:
            within = None if spec is None else spec.submodule_search_locations
            spec = None if within is None else PathFinder.find_spec(part, list(within))
    except (ImportError, ValueError):  # of a module that is being run, or has no specification
        spec = None
    if spec is None:
        places = ", ".join(dict.fromkeys(str(folder.absolute()) for folder in folders))
        raise NotFoundError(f"there is no module {shown(module)} in {places} or among the installed ones")
    if not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
        raise QhnError(
            f"module {module} has no source file by which it could be known; call its function in a module of your own"
        )
    return Path(spec.origin)


def _is_something(spec: ModuleSpec, inner: Sequence[str]) -> bool:
    """Whether what was found is a module, or a folder of modules where one of them is asked for."""
    return spec.loader is not None or bool(inner)
