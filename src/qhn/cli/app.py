"""The Typer application to which all verbs of the command line belong."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from qhn.cli.terminal import put


class Escaped(Exception):
    """Carrier of an error or interruption past Typer's own handling; its ``__cause__`` is the original."""


class Verbs(TyperGroup):
    """The group of all verbs; their errors arrive in :func:`qhn.cli.main` as they were raised.

    Typer would take any ``EOFError`` for Ctrl-D at a prompt, and would end the process itself at Ctrl-C and when the
    reader of the output has gone.
    """

    def invoke(self, ctx: Any) -> Any:
        """Call the verb that the command line names.

        Raises:
            Escaped: if the verb raises ``EOFError``, ``KeyboardInterrupt`` or ``OSError``, which Typer handles itself.
        """
        try:
            return super().invoke(ctx)
        except (EOFError, KeyboardInterrupt, OSError) as error:
            raise Escaped from error


app = typer.Typer(
    cls=Verbs,
    help="Train circuits whose measured bitstrings are binary neural networks.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from qhn import __version__

        put(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version)] = False,
) -> None:
    pass  # main() looks for --debug itself: it must work for errors in parsing too
