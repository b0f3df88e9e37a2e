"""The base of our enums."""

from enum import StrEnum


class Name(StrEnum):
    """A closed set of names. It hashes as the string that it is: Enum's own hash is a Python function, and these are
    keys of dictionaries in the hot paths."""

    __hash__ = str.__hash__
