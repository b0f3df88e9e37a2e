"""Label numbers that Yidun and its bundle inside Yunxin share."""

from dataclasses import dataclass

from simulator.rooms import Decision
from simulator.transcripts import Theme


@dataclass(frozen=True, slots=True)
class Numbers:
    """First-level label, second-level label of machines, and the reason a reviewer gives (spamType)."""

    label: int
    sub_label: str
    spam_type: int


NUMBERS: dict[Theme, Numbers] = {
    Theme.POLITICS: Numbers(500, "500014", 512),
    Theme.TERRORISM: Numbers(300, "300016", 300),
    Theme.PORN: Numbers(100, "100002", 121),
    Theme.ABUSE: Numbers(600, "600018", 800),
    Theme.AD: Numbers(200, "200009", 211),
    Theme.CONTRABAND: Numbers(400, "400017", 400),
    Theme.SPAM: Numbers(700, "700019", 1027),
    Theme.NOVEL: Numbers(1200, "120001", 1099),
}

SUGGESTION: dict[Decision, int] = {"pass": 0, "review": 1, "block": 2}
"""Also `action` of machines, and a label's `level`."""

REVIEW_ACTIONS: dict[int, Decision] = {1: "pass", 2: "block", 3: "block", 4: "review"}
"""A reviewer's `action`: ignore, warn, cut the stream, prompt."""
