"""The closed error tree. What a caller does next is in the class; what an operator does next is in the message."""


class ModeratoError(Exception):
    """Base of every error that Moderato raises on purpose."""


class Retryable(ModeratoError):
    """Something outside did not answer or said "later": the same work may succeed when tried again."""


class Poison(ModeratoError):
    """This one input can never succeed: it goes to the dead letters and the rest goes on."""


class Fatal(ModeratoError):
    """The configuration or the installation is wrong: stop, and say which setting to change."""


class Unserved(Fatal):
    """Kafka does not serve us: it does not let us in, or lacks a topic. Somebody has to change something, there or
    here."""


class Unreachable(Unserved):
    """Nobody answers at the address: it may be wrong, or the other side away for now."""
