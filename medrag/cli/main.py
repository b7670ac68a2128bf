"""The command `medrag`.

Results go to stdout, messages to stderr. Exit 0: fine; 1: the world is wrong (a file, an index, a
recipe); 2: misuse; 130: interrupted.
"""

import sys
from errno import EPIPE
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from medrag.cli import align, ask, check, concepts, demo, evaluate, index, models
from medrag.cli.output import message, prepare_streams
from medrag.errors import MedragError, is_panic

_GOES_ON = "; what is written stays whole, and the same command goes on from there"
_RESUMES = "; training goes on from its last checkpoint with --resume"


class Guarded(TyperGroup):
    """Turn errors of the world into one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # A question has nothing to go on from; a build and a run have.
            lasts = ctx.invoked_subcommand in ("demo", "index", "eval", "concepts")
            trains = ctx.invoked_subcommand == "align"
            message(f"interrupted{_GOES_ON if lasts else _RESUMES if trains else ''}")
            raise typer.Exit(130) from None
        except MedragError as error:
            if ctx.params.get("debug"):
                raise
            message(str(error), error=True)
            raise typer.Exit(1) from None
        except OSError as error:
            if ctx.params.get("debug") or error.errno == EPIPE:
                raise
            message(f"{error.filename or 'the system'}: {error.strerror or error}", error=True)
            raise typer.Exit(1) from None
        except Exception as error:
            # Typer's own, such as an option that is not known, bring their exit code along.
            own = isinstance(error, typer.Abort) or hasattr(error, "exit_code")
            if own or ctx.params.get("debug"):
                raise
            message(
                f"a fault of medrag itself, {type(error).__name__}: {error}; the same command as "
                "medrag --debug ... shows where: please report it",
                error=True,
            )
            raise typer.Exit(1) from None
        except BaseException as error:
            if not is_panic(error) or ctx.params.get("debug"):
                raise
            message(
                f"a library gave up ({error}); if a file of an index is damaged, it is named, and "
                "mended, by: medrag index verify NAME --repair",
                error=True,
            )
            raise typer.Exit(1) from None


app = typer.Typer(
    name="medrag",
    cls=Guarded,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from medrag import __version__

        typer.echo(f"medrag {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Answer questions about medical images from your own library, with citations.

    For research and education; not for clinical use.
    """
    # Both are read elsewhere: by Guarded, and by the callback.
    _ = debug, version


app.command("demo")(demo.demo)
app.add_typer(index.app, name="index")
app.command("search")(ask.search)
app.command("ask")(ask.ask)
app.add_typer(evaluate.app, name="eval")
app.add_typer(align.app, name="align")
app.add_typer(concepts.app, name="concepts")
app.command("models")(models.models)
app.command("check")(check.check)
app.command("doctor")(check.doctor)


def main() -> None:
    """Run the command line."""
    prepare_streams()
    sys.exit(app())
