"""A Parquet file taken apart: its pages, and its footer as a tree."""

from dataclasses import dataclass
from typing import Final

from tests.fuzzing.thrift import Reader, Struct, write

MAGIC: Final = b"PAR1"
# Numbers of fields in Parquet's Thrift definition.
SCHEMA: Final = 2
FILE_ROWS: Final = 3
GROUPS: Final = 4
CHUNKS: Final = 1
GROUP_ROWS: Final = 3
CHUNK_FACTS: Final = 3
CHUNK_VALUES: Final = 5
CHUNK_BYTES: Final = 7
DATA_OFFSET: Final = 9
DICTIONARY_OFFSET: Final = 11


@dataclass(slots=True, kw_only=True)
class ParquetFile:
    """The bytes before the footer, magic included, and the footer."""

    body: bytes
    footer: Struct

    @staticmethod
    def parse(data: bytes) -> "ParquetFile":
        """A sound file, taken apart."""
        length = int.from_bytes(data[-8:-4], "little")
        start = len(data) - 8 - length
        return ParquetFile(body=data[:start], footer=Reader(data, start).struct())

    def to_bytes(self) -> bytes:
        """The file put together again."""
        footer = write(self.footer)
        return self.body + footer + len(footer).to_bytes(4, "little") + MAGIC

    def chunks(self) -> list[Struct]:
        """What the footer says about each column chunk."""
        return [
            chunk.struct(CHUNK_FACTS)
            for group in self.footer.structs(GROUPS)
            for chunk in group.structs(CHUNKS)
        ]

    def pages(self, chunk: Struct) -> list[tuple[Struct, bytes]]:
        """Header and payload of each page of a column chunk."""
        position = chunk_start(chunk)
        end = position + chunk.integer(CHUNK_BYTES)
        pages = []
        while position < end:
            reader = Reader(self.body, position)
            header = reader.struct()
            position = reader.position + header.integer(3)
            pages.append((header, self.body[reader.position : position]))
        return pages

    def replace_pages(self, chunk: Struct, pages: list[tuple[Struct, bytes]]) -> None:
        """Give a column chunk other pages, at the end of the body."""
        moved = len(self.body) - chunk_start(chunk)
        position = len(self.body)
        for header, payload in pages:
            self.body += write(header) + payload
        for field in chunk.fields:
            if field.number in {DATA_OFFSET, DICTIONARY_OFFSET} and isinstance(field.value, int):
                field.value += moved
            if field.number == CHUNK_BYTES:
                field.value = len(self.body) - position


def chunk_start(chunk: Struct) -> int:
    """Where the first page of a column chunk stands."""
    offsets = [
        field.value for field in chunk.fields if field.number in {DATA_OFFSET, DICTIONARY_OFFSET}
    ]
    return min(offset for offset in offsets if isinstance(offset, int) and offset > 0)
