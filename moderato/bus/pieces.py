"""What one fetch brought, in pieces that fit into memory together with what is made of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar


class Sized(Protocol):
    """A record, as far as its size goes; a tombstone has no value."""

    @property
    def value(self) -> bytes | None: ...


_Place = TypeVar("_Place")
_Record = TypeVar("_Record", bound=Sized)


def pieces(
    fetched: Mapping[_Place, Sequence[_Record]], most: int
) -> Iterator[dict[_Place, Sequence[_Record]]]:
    """The records in their order within each partition, values of at most `most` bytes a piece; a larger one goes
    alone."""
    piece: dict[_Place, Sequence[_Record]] = {}
    size = 0
    for place, batch in fetched.items():
        begin = 0
        for number, record in enumerate(batch):
            weight = len(record.value) if record.value else 0
            if size and size + weight > most:
                if number > begin:
                    piece[place] = batch[begin:number]
                yield piece
                piece, size, begin = {}, 0, number
            size += weight
        if begin < len(batch):
            piece[place] = batch[begin:]
    if piece:
        yield piece
