"""``powerstage report``: what was accepted, as one page."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import click

from powerstage.checks import Checker
from powerstage.cli.common import json_option, leave, now, results, stopping
from powerstage.consumer import Lake
from powerstage.consumer.look_over import look_over
from powerstage.display import Terminal
from powerstage.display.document import document
from powerstage.display.overview import overview_part, show_overview
from powerstage.errors import UsageError


@click.command()
@click.argument("lake_path", metavar="LAKE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "page_path",
    default="report.html",
    show_default=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes.",
)
@click.option("--serve", "is_serving", is_flag=True, help="Serve it on 127.0.0.1 until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="With --serve: where; by itself a free port.",
)
@json_option
def report(
    lake_path: Path, *, page_path: Path, is_serving: bool, port: int | None, as_json: bool
) -> None:
    """Show what was accepted into LAKE: energy, coverage, deliveries, findings.

    The page is one HTML file that asks nobody for anything. With --serve it follows what
    `consume --follow` judges.
    """
    if port and not is_serving:
        raise UsageError("--port is for --serve", fix="say --serve, or leave --port out")
    terminal = results(as_json)
    if is_serving:
        _serve(terminal, lake_path, port or 0)
        return
    # The libraries that draw take as long to import as the worker to look.
    with (
        Lake(lake_path) as lake,
        Checker() as checker,
        ThreadPoolExecutor(max_workers=1) as aside,
    ):
        page = aside.submit(import_module, "powerstage.display.page")
        overview = look_over(lake, checker, now=now())
        render = page.result().render
    # A browser that has it open never sees half of it.
    draft = page_path.with_name(f".{page_path.name}.draft")
    draft.write_text(render(overview, lake_path), encoding="utf-8")
    draft.replace(page_path)
    show_overview(terminal, overview)
    terminal.line("")
    terminal.line(f"Open  {page_path}")
    leave(0, as_json, document("report", 0, page=str(page_path), **overview_part(overview)))


def _serve(terminal: Terminal, lake_path: Path, port: int) -> None:
    from powerstage.display.page import render, serving

    def state() -> str:
        with Lake(lake_path) as lake:
            return lake.ledger.fact("records") or "0"

    with Checker() as checker:

        def page(live: str) -> str:
            with Lake(lake_path) as lake:
                return render(look_over(lake, checker, now=now()), lake_path, live=live)

        state()
        with stopping() as stopped, serving(state, page, port=port) as url:
            terminal.line(f"Open  {url}   (Ctrl-C ends it)")
            stopped.wait()
