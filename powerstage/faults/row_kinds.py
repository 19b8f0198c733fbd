"""Faults in rows, in what they are keyed by, and in their time stamps."""

from datetime import timedelta
from typing import Final

from powerstage.faults.fault import Change, Fault, Target, Whole
from powerstage.faults.parts import (
    needs_all,
    needs_column,
    needs_punctual,
    needs_sites,
    needs_start,
    needs_steady,
)

_READING: Final = Target(devices="one", measures="any", intervals="one")
_DEVICE: Final = Target(devices="one")
_DROP: Final = Change(does="drop")
_REPEAT: Final = Change(does="repeat")


def _replace(**columns: str) -> tuple[Change]:
    return (Change(does="replace", columns=tuple(columns.items())),)


def _shift(microseconds: str) -> tuple[Change]:
    later = f"to_microseconds(({microseconds})::BIGINT)"
    return _replace(start=f"$start + {later}", end=f"$end + {later}")


def _misspelt(part: str, text: str) -> str:
    """SQL for a text that is not agreed: with a stop where letters alone do not spoil it."""
    return f"CASE WHEN ({text}) IN ($agreed_{part}) THEN ${part} || '.' ELSE {text} END"


ROW_KINDS: Final = (
    Fault(
        name="dropped_reading",
        level="row",
        words="one reading left out",
        magnitude="one row",
        check="grid.complete",
        target=_READING,
        effects=(_DROP,),
        unless=(needs_all,),
    ),
    Fault(
        name="dropped_measure",
        level="row",
        words="a device that sends one measure of several",
        magnitude="one measure of a device, for a period",
        check="grid.complete",
        target=Target(devices="one", measures="any"),
        effects=(_DROP,),
        unless=(needs_all,),
    ),
    Fault(
        name="silent_device",
        level="row",
        words="a device that sends nothing",
        magnitude="all readings of a device, for a period",
        check="device.silent",
        target=_DEVICE,
        effects=(_DROP,),
        unless=(needs_all,),
    ),
    Fault(
        name="silent_for_hours",
        level="row",
        words="a device that sends nothing for hours, and then again",
        magnitude="all readings of a device, for 3 h",
        check="grid.complete",
        target=Target(devices="one", lasts=timedelta(hours=3)),
        effects=(_DROP,),
        unless=(needs_all,),
    ),
    Fault(
        name="duplicate_reading",
        level="row",
        words="the same reading twice",
        magnitude="one row",
        check="key.unique",
        target=_READING,
        effects=(_REPEAT,),
    ),
    Fault(
        name="conflicting_duplicate",
        level="row",
        words="two readings of one interval that differ",
        magnitude="one row, by 1",
        check="key.agrees",
        target=_READING,
        effects=(
            Change(
                does="repeat",
                columns=(
                    (
                        "value",
                        "CASE WHEN $value + 1 > $maximum THEN $value - 1 ELSE $value + 1 END",
                    ),
                ),
            ),
        ),
    ),
    Fault(
        name="late_reading",
        level="row",
        words="a reading that came with the next period's",
        magnitude="one row, a period late",
        check="reading.in_period",
        target=Target(devices="one", measures="any", intervals="one", periods=2),
        effects=(_DROP, Change(does="add", donor="before")),
    ),
    Fault(
        name="early_reading",
        level="row",
        words="a reading that came with the period's before it",
        magnitude="one row, a period early",
        check="reading.in_period",
        target=Target(devices="one", measures="any", intervals="one later", periods=2),
        effects=(Change(does="add", donor="after"), _DROP),
    ),
    Fault(
        name="hour_edge_twice",
        level="row",
        words="the first interval of the next period in this one too",
        magnitude="one interval of all devices: both periods own their edge",
        check="reading.in_period",
        target=Target(devices="all", intervals="next"),
        effects=(Change(does="add", donor="after"),),
    ),
)

KEY_KINDS: Final = (
    Fault(
        name="ghost_device",
        level="key",
        words="a device that the inventory lacks",
        magnitude="X for the first character, or Y for an X",
        check="$device.in_inventory",
        target=_DEVICE,
        effects=_replace(
            device="CASE WHEN $device[1] = 'X' THEN 'Y' ELSE 'X' END || substr($device, 2)"
        ),
    ),
    Fault(
        name="retired_device",
        level="key",
        words="a device that left the inventory and still sends",
        magnitude="a serial number that the fleet had, for a period",
        check="$device.in_inventory",
        target=Target(devices="one", detail="retired device"),
        effects=(Change(does="repeat", columns=(("device", "planned.text"),)),),
    ),
    Fault(
        name="lookalike_serial",
        level="key",
        words="a serial number that was typed in",
        magnitude="O for the first 0, I for the first 1, small letters, large ones or a stop",
        check="$device.in_inventory",
        target=_DEVICE,
        effects=_replace(
            device="CASE WHEN contains($device, '0') THEN regexp_replace($device, '0', 'O')"
            " WHEN contains($device, '1') THEN regexp_replace($device, '1', 'I')"
            " WHEN $device <> lower($device) THEN lower($device)"
            " WHEN $device <> upper($device) THEN upper($device)"
            " ELSE $device || '.' END"
        ),
    ),
    Fault(
        name="padded_serial",
        level="key",
        words="a serial number with a space at its end that nobody sees",
        magnitude="one no-break space",
        check="$device.in_inventory",
        target=_DEVICE,
        effects=_replace(device="$device || chr(160)"),
    ),
    Fault(
        name="wrong_model",
        level="key",
        words="a device under another model's name than in the inventory",
        magnitude="the name of another model",
        check="$model.as_inventory",
        target=Target(devices="one", detail="other model"),
        effects=_replace(model="planned.text"),
        unless=(needs_column("model", "column for a model"),),
    ),
    Fault(
        name="wrong_location",
        level="key",
        words="a device at another site than in the inventory",
        magnitude="the code of another site",
        check="$site.as_inventory",
        target=Target(devices="one", detail="other site"),
        effects=_replace(site="planned.text"),
        unless=(needs_column("site", "column for a site"), needs_sites),
    ),
    Fault(
        name="misspelt_measure",
        level="key",
        words="a measure under a name that nobody agreed on",
        magnitude="a capital letter, or a stop at its end",
        check="$measure_check",
        target=_READING,
        effects=_replace(
            measure=_misspelt(
                "measure",
                "CASE WHEN $measure = lower($measure)"
                " THEN upper($measure[1]) || $measure[2:] ELSE lower($measure) END",
            )
        ),
    ),
    Fault(
        name="misspelt_source",
        level="key",
        words="a text that is none of those agreed",
        magnitude="iLO for iLo: the last letter, small or large, or a stop at its end",
        check="$source.allowed",
        target=_READING,
        effects=_replace(
            source=_misspelt(
                "source",
                "$source[:-2] || CASE WHEN $source[-1] = lower($source[-1])"
                " THEN upper($source[-1]) ELSE lower($source[-1]) END",
            )
        ),
        unless=(needs_column("source", "other column with a list of texts"),),
    ),
)

TIMING_KINDS: Final = (
    Fault(
        name="reversed_interval",
        level="timing",
        words="an interval that ends before it starts",
        magnitude="start and end of one reading in each other's place",
        check="reading.interval",
        target=_READING,
        effects=_replace(start="$end", end="$start"),
        unless=(needs_start,),
    ),
    Fault(
        name="wrong_interval_length",
        level="timing",
        words="an interval of another length",
        magnitude="half of it, for one reading",
        check="reading.interval",
        target=_READING,
        effects=_replace(end="$end - to_microseconds($interval_us // 2)"),
        unless=(needs_start, needs_steady),
    ),
    Fault(
        name="clock_skew",
        level="timing",
        words="a device whose clock is ahead",
        magnitude="90 s, or half an interval where that is less",
        check="reading.on_grid",
        target=_DEVICE,
        effects=_shift("least(90000000, $interval_us // 2)"),
        unless=(needs_punctual(timedelta(seconds=90)),),
    ),
    Fault(
        name="local_time_as_utc",
        level="timing",
        words="a site that writes its local time as UTC",
        magnitude="the offset of its zone",
        check="reading.in_period",
        target=Target(devices="site", detail="offset"),
        effects=_shift("planned.number * 1000000"),
        unless=(needs_column("site", "column for a site"),),
    ),
    Fault(
        name="repeated_hour",
        level="timing",
        words="a site's hour stamped like the one before, as where clocks go back",
        magnitude="1 h",
        check="reading.in_period",
        target=Target(devices="site"),
        effects=_shift("-3600000000"),
        unless=(needs_column("site", "column for a site"),),
    ),
    Fault(
        name="epoch_1970",
        level="timing",
        words="a device whose clock began anew in 1970",
        magnitude="the period begins on 1 January 1970",
        check="reading.in_period",
        source="openbmc #3257",
        target=_DEVICE,
        effects=_shift("-planned.first_us"),
    ),
    Fault(
        name="seconds_as_hours",
        level="timing",
        words="a file whose writer took seconds of the day for hours",
        magnitude="x3600 since midnight: up to ten years ahead",
        check="reading.interval",
        source="tdunning/sample, synth",
        effects=(
            Whole(
                columns="* REPLACE (date_trunc('day', $start)"
                " + ($start - date_trunc('day', $start)) * 3600 AS $start,"
                " date_trunc('day', $start) + ($end - date_trunc('day', $start)) * 3600 AS $end)"
            ),
        ),
        unless=(needs_start,),
    ),
    Fault(
        name="milliseconds_as_microseconds",
        level="timing",
        words="a file whose reader took milliseconds for microseconds",
        magnitude="/1000 since 1970: three weeks into that year",
        check="reading.in_period",
        effects=(
            Whole(
                columns="* REPLACE (make_timestamptz(epoch_ms($start)) AS $start,"
                " make_timestamptz(epoch_ms($end)) AS $end)"
            ),
        ),
        unless=(needs_start,),
    ),
)
