"""A bounded memory of ids, for telling a repetition from what is new. Pure."""


class Seen:
    """The newest ids: at least the last `most` different ones, at most twice as many, about 60 bytes each.

    They are kept as 64-bit hashes, keyed anew in each process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: set[int] = set()
        self._old: set[int] = set()

    def first_time(self, *id: str) -> bool:
        """Whether it is not remembered; it is from now on."""
        name = hash(id)
        if name in self._young:
            return False
        known = name in self._old
        self._young.add(name)
        if len(self._young) >= self._most:
            self._young, self._old = set(), self._young
        return not known
