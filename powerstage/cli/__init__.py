"""The command line: parse, call one function, render. Results to stdout, talk to stderr.

Commands are imported when they are called: help must not wait for an engine.
"""

import io
import json
import os
import sys
import traceback
from importlib import import_module, resources
from typing import Final, NoReturn

import click

import powerstage
from powerstage.errors import PowerstageError
from powerstage.process import start_early

INTERRUPTED: Final = 130
BROKEN_TOOL: Final = 3
# What DuckDB makes of Ctrl-C while it works.
_INTERRUPTED_QUERY: Final = "Query interrupted"
_COMMANDS: Final = {
    "demo": ("powerstage.cli.demo", "The whole story on an embedded S3, with faults."),
    "contract": ("powerstage.cli.contract", "The agreement: lint, read, compare and convert it."),
    "plan": ("powerstage.cli.plan", "What an exchange takes: requests, bytes, CPU."),
    "kit": ("powerstage.cli.kit", "What both sides take home: data and tests."),
    "synth": ("powerstage.cli.produce", "Publish mock inventory and telemetry."),
    "publish": ("powerstage.cli.produce", "Check a real export and publish it."),
    "retract": ("powerstage.cli.produce", "Take the readings of a period back."),
    "consume": ("powerstage.cli.consume", "Fetch, judge and keep what a feed delivers."),
    "validate": ("powerstage.cli.validate", "Run the data unit tests on a target."),
    "report": ("powerstage.cli.report", "What was accepted, as one page."),
    "gc": ("powerstage.cli.gc", "Delete data that no commit names."),
    "status": ("powerstage.cli.consume", "What a feed's producer sees."),
    "doctor": ("powerstage.cli.doctor", "What works here, and what does not."),
}
# Their worker starts while they are imported.
_JUDGING: Final = {"demo", "publish", "consume", "validate", "report"}


class _LazyGroup(click.Group):
    """Knows its commands by name and one line; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        if cmd_name in _JUDGING and not {"--help", "-h"}.intersection(sys.argv):
            start_early()
        command = getattr(import_module(module), cmd_name)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has gone: nothing more to say, and to nobody. Left to
            # itself, click ends with the code for a broken contract.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(powerstage.__version__, prog_name="powerstage")
@click.option(
    "--json-schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, is_asked: _print_schema(ctx) if is_asked else None,
    help="Show the JSON Schema of what --json prints, and exit.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(*, debug: bool) -> None:
    """Rehearse the exchange of data-center power telemetry between two companies.

    A URL is s3://bucket/prefix or a folder; boto3's own settings say where S3 is.

    Exit codes: 0 pass, 1 contract broken, 2 usage, 3 environment,
    4 nothing there to judge, 130 interrupted.
    """
    del debug


def _print_schema(ctx: click.Context) -> NoReturn:
    # Read without importing display: it knows the engine.
    path = resources.files("powerstage").joinpath("display", "result.schema.json")
    click.echo(path.read_text("utf-8"), nl=False)
    ctx.exit()


def main(command: click.Command = cli, program: str | None = None) -> NoReturn:
    """Run the command line, and turn errors into words and an exit code.

    Args:
        command: another one than ``powerstage``.
        program: what its help calls it.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no check mark gets its number.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command.main(prog_name=program, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _print_document(error.exit_code, error.format_message())
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _leave(INTERRUPTED, "interrupted")
    except Exception as error:
        if isinstance(error, RuntimeError) and str(error) == _INTERRUPTED_QUERY:
            _leave(INTERRUPTED, "interrupted")
        if "--debug" in sys.argv:
            traceback.print_exc()
        _leave(*_explain(error))


def _explain(error: Exception) -> tuple[int, str, str, str]:
    """Exit code, what happened, its cause, its fix."""
    if isinstance(error, PowerstageError):
        return error.exit_code, error.message, error.cause, error.fix
    if isinstance(error, OSError) and error.filename:
        words = f"{error.filename}: {error.strerror}"
        return BROKEN_TOOL, words, "", "check the path, its permissions and the disk"
    return (
        BROKEN_TOOL,
        f"powerstage failed: {type(error).__name__}: {error}",
        "this is a defect of powerstage, or of something it rests on",
        "run powerstage --debug with the same command, and report what it prints",
    )


def _print_document(code: int, message: str, cause: str = "", fix: str = "") -> None:
    """Who asked for a document gets one, whatever happened."""
    if "--json" not in sys.argv:
        return
    from powerstage.display.document import document

    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    command = " ".join(words[: 2 if words[:1] == ["contract"] else 1])
    error = {"message": message, "cause": cause, "fix": fix}
    sys.stdout.write(json.dumps(document(command, code, error=error), indent=1) + "\n")


def _leave(code: int, message: str, cause: str = "", fix: str = "") -> NoReturn:
    from powerstage.display.terminal import BAD, DIM, Terminal

    _print_document(code, message, cause, fix)
    terminal = Terminal(sys.stderr)
    terminal.line(("error ", BAD), message)
    for name, text in (("cause", cause), ("fix", fix)):
        for index, line in enumerate(text.splitlines()):
            terminal.line((f"  {name if index == 0 else '':<6} ", DIM), line)
    sys.exit(code)
