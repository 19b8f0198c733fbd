"""``powerstage plan``: what an exchange takes, before anybody buys machines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from powerstage.cli.common import contract_option, json_option, leave, load_contract, results
from powerstage.contract import Contract, default
from powerstage.display import Terminal
from powerstage.display.document import contract_part, document
from powerstage.display.terminal import BOLD, counted
from powerstage.plan import Coefficient, ExchangePlan, Measurement, measured, plan_exchange

_SCALES = ((1, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns"))


@click.command()
@click.option("--devices", type=int, required=True, help="How many devices.")
@click.option("--days", default=30, show_default=True, help="How many days.")
@contract_option
@json_option
def plan(*, devices: int, days: int, contract_path: Path | None, as_json: bool) -> None:
    """Work out what an exchange takes: objects, bytes, requests, CPU and workers.

    Nothing is made or sent. Requests are counted as the two sides send them; bytes and CPU come
    from what was measured of mock data, which is shown with them: another machine is faster or
    slower, and other values take more or fewer bytes.
    """
    contract = load_contract(contract_path) or default()
    measurement = measured()
    planned = plan_exchange(contract, devices=devices, days=days, measurement=measurement)
    _show(results(as_json), contract, planned, measurement)
    leave(
        0,
        as_json,
        document(
            "plan",
            0,
            contract=contract_part(contract),
            **asdict(planned),
            measured=asdict(measurement),
        ),
    )


def _show(
    terminal: Terminal, contract: Contract, planned: ExchangePlan, measurement: Measurement
) -> None:
    minutes = contract.delivery_interval // timedelta(minutes=1)
    terminal.line(
        (counted(planned.devices, "device"), BOLD),
        f", {counted(planned.days, 'day')}: {counted(planned.periods, 'period')}"
        f" of {counted(minutes, 'minute')}, {counted(planned.readings, 'reading')}",
    )
    stored = {kind: (found.objects, found.size_bytes) for kind, found in planned.stored.items()}
    objects, size_bytes = zip(*stored.values(), strict=True)
    terminal.line("")
    _show_numbers(
        terminal,
        ("in the feed", "objects", "bytes"),
        stored | {"all": (sum(objects), sum(size_bytes))},
    )
    sides = (planned.producer, planned.consumer)
    terminal.line("")
    _show_numbers(
        terminal,
        ("takes", "producer", "consumer"),
        {
            **{
                f"{name} requests": [side.requests[name] for side in sides]
                for name in planned.producer.requests
            },
            "bytes sent": [side.sent_bytes for side in sides],
            "bytes received": [side.received_bytes for side in sides],
            "CPU hours, all in one run": [side.cpu_seconds / 3600 for side in sides],
            "CPU seconds, a run a period": [side.period_cpu_seconds for side in sides],
            "workers to keep up": [side.workers_to_keep_up for side in sides],
            "workers to catch up": [side.workers_to_catch_up for side in sides],
        },
    )
    for line in ("", *_explained(planned), "", _advice(contract, planned), ""):
        terminal.line(line)
    _show_measurement(terminal, measurement)


def _show_numbers(
    terminal: Terminal,
    headers: tuple[str, str, str],
    rows: Mapping[str, Sequence[float]],
) -> None:
    """A table whose numbers stand below each other, and which are counts unless they have parts."""
    width = 17
    terminal.table(
        [f"{headers[0]:<27}", *(f"{header:>{width}}" for header in headers[1:])],
        [
            (name, *(f"{n:>{width},}" if isinstance(n, int) else f"{n:>{width},.2f}" for n in row))
            for name, row in rows.items()
        ],
    )


def _explained(planned: ExchangePlan) -> Iterator[str]:
    looks = planned.days * 24 * 60
    yield "S3 bills PUT and LIST as one class of requests, GET and HEAD as the other. Requests are"
    yield "those of one run for all on either side; consume --follow, looking each minute, sends"
    yield (
        f"up to {planned.list_requests_per_look} LIST a look:"
        f" {looks * planned.list_requests_per_look:,} in all that time."
    )
    yield "The producer is synth: publish reads an export in place of making readings. Each run of"
    yield "consume also looks at the last weeks: most of what a run a period takes is that."
    yield "A worker is a process on a core of its own. Those that keep up have done a period's work"
    yield f"before the next is due; those that catch up do that of {_days(planned)} in one day."


def _advice(contract: Contract, planned: ExchangePlan) -> str:
    sides = {"producer": planned.producer, "consumer": planned.consumer}
    if any(side.workers_to_keep_up > 1 for side in sides.values()):
        return (
            "Share the work: synth and consume take --workers N on one machine, or --scheduler for"
            " a cluster (docs/scale.md)."
        )
    seconds = contract.delivery_interval.total_seconds()
    spare = [
        f"the {name} {seconds / side.period_cpu_seconds:,.0f} times" for name, side in sides.items()
    ]
    return f"No cluster is needed: one core keeps up, {' over, '.join(spare)} over."


def _days(planned: ExchangePlan) -> str:
    return counted(planned.days, "day")


def _show_measurement(terminal: Terminal, measurement: Measurement) -> None:
    terminal.line(f"Bytes and CPU as measured on {measurement.date}: {measurement.machine};")
    versions = ", ".join(f"{name} {number}" for name, number in measurement.versions.items())
    terminal.line(f"{versions}. scripts/bench plan measures them anew.")
    terminal.line("")
    terminal.table(
        ["part", "each", "takes"],
        [(one.of, one.per, _amount(one)) for one in measurement.coefficients],
    )


def _amount(coefficient: Coefficient) -> str:
    """A value with its unit, which of seconds is one that suits it."""
    value = coefficient.value
    if coefficient.unit != "s":
        return f"{value:,.3g} {coefficient.unit}" if value < 1000 else f"{value:,.0f} bytes"
    scale, unit = next((each for each in _SCALES if value * each[0] >= 1), _SCALES[-1])
    return f"{value * scale:,.3g} {unit}"
