"""The data-center operator: mock data, an export taken in, publishing, and what came of it."""

from powerstage.producer.export import Export, ExportSource, check_export, open_export
from powerstage.producer.feed import Published
from powerstage.producer.parquet import write_parquet
from powerstage.producer.plain_export import write_export
from powerstage.producer.publish import publish
from powerstage.producer.retract import retract
from powerstage.producer.source import Source
from powerstage.producer.status import FeedStatus, status
from powerstage.producer.synth import MockSource, synthesise

__all__ = [
    "Export",
    "ExportSource",
    "FeedStatus",
    "MockSource",
    "Published",
    "Source",
    "check_export",
    "open_export",
    "publish",
    "retract",
    "status",
    "synthesise",
    "write_export",
    "write_parquet",
]
