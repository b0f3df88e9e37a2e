from normalize.payload import Unreadable
from normalize.reading import Raw, Reading


def read(raw: Raw, out: Reading) -> None:
    raise Unreadable("this mapping is being written")
