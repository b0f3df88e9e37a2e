"""One scale: how a decision and its candidate labels become a category and a severity.

The rules are those of docs/severity.md, section 1, in its order; the tables that they read are YAML in
`normalize/tables/`. `Tables.judge` is the one pure function that applies them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from moderato.errors import Fatal
from moderato.records import Category, Decision, Severity, record
from moderato.sources import Source
from moderato.yaml_file import read_mapping
from normalize.payload import as_code

BUILT_IN = Path(__file__).parent / "tables"
SCALE = "scale"

_T = TypeVar("_T", bound=BaseModel)

_RULE_ORDER = (
    "decision",
    "category",
    "grave",
    "light",
    "suspect-low",
    "low-confidence",
    "human",
    "contradiction",
    "unmapped",
)
_STEP_DOWN = {
    Severity.CRITICAL: Severity.HIGH,
    Severity.HIGH: Severity.MEDIUM,
    Severity.MEDIUM: Severity.LOW,
    Severity.LOW: Severity.LOW,
    Severity.NONE: Severity.NONE,
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _codes_as_text(value: Any) -> Any:
    """YAML reads `600:` as a number: every key becomes the text that `as_code` makes of a vendor's word."""
    return {as_code(key): item for key, item in value.items()} if isinstance(value, dict) else value


class Steps(_Model):
    """Categories whose severity differs from the base, by decision."""

    categories: frozenset[Category]
    severity: dict[Decision, Severity]


class LowConfidence(_Model):
    sources: frozenset[Source]
    below: float = Field(gt=0, le=1)


class Scale(_Model):
    """`tables/scale.yaml`."""

    version: str
    base: dict[Decision, Severity]
    grave: Steps
    light: Steps
    low_confidence: LowConfidence


class PeoplesDecision(_Model):
    """What a reviewer's own action means; `grave` is the severity when the category is a grave one."""

    decision: Decision
    severity: Severity
    grave: Severity | None = None


class VendorTable(_Model):
    """`tables/<vendor>.yaml`: words of one vendor. Inner keys are the names of the vendor's own fields."""

    version: str
    decisions: dict[str, Annotated[dict[str, Decision], BeforeValidator(_codes_as_text)]] = {}
    people: dict[str, Annotated[dict[str, PeoplesDecision], BeforeValidator(_codes_as_text)]] = {}
    labels: dict[str, Annotated[dict[str, Category], BeforeValidator(_codes_as_text)]] = {}

    __hash__ = object.__hash__  # a table is built once; caches are keyed by it

    def __eq__(self, other: object) -> bool:
        return self is other

    def decision(self, field: str, word: Any) -> Decision | None:
        """The decision for a vendor's word in `field`; None when the table does not have it."""
        code = as_code(word)
        return None if code is None else self.decisions[field].get(code)

    def category(self, field: str, code: str | None) -> Category | None:
        """The category of a label (as `as_code` gives it) in `field`; None when the table does not have it."""
        return None if code is None else self.labels[field].get(code)

    def peoples(self, field: str, word: Any) -> PeoplesDecision | None:
        """What a reviewer's action in `field` means; None when the table does not have it."""
        code = as_code(word)
        return None if code is None else self.people[field].get(code)


@record
class Candidate:
    """One label that may win: its category (None when no table has it; none when it is a normal one) and rate 0..1."""

    category: Category | None
    confidence: float | None = None


@record
class Judgement:
    """The result of the rules, and their names in order."""

    decision: Decision
    category: Category
    severity: Severity
    rules: tuple[str, ...]
    unmapped: bool = False
    confidence: float | None = None
    degraded: bool = False


FAIL_SAFE = Judgement(Decision.REVIEW, Category.OTHER, Severity.MEDIUM, ("fail-safe",), degraded=True)


class Tables:
    """One version of the scale and of every vendor's words."""

    def __init__(self, scale: Scale, vendors: Mapping[str, VendorTable], version: str) -> None:
        self.version = version
        self.scale = scale
        self.vendors = dict(vendors)
        self._severities = {
            (decision, category): _severity(scale, decision, category)
            for decision in (Decision.REVIEW, Decision.BLOCK)
            for category in Category
        }
        # Most records have one candidate without a rate; what the rules make of it is known beforehand.
        self._simple: dict[tuple[Decision, Category | None], Judgement] = {}
        self._simple = {
            (decision, category): self.judge(Source.SHUMEI_AUDIO, decision, (Candidate(category),))
            for decision in Decision
            for category in (None, *Category)
        }

    def judge(
        self,
        source: Source,
        decision: Decision,
        candidates: Sequence[Candidate],
        *,
        machine: bool = True,
        suspect_low: bool = False,
    ) -> Judgement:
        """Steps 1 to 5, 7 and 8: a decision that the ordinary tables judge. `candidates` in the vendor's order."""
        if len(candidates) == 1 and not suspect_low and (only := candidates[0]).confidence is None:
            simple = self._simple.get((decision, only.category))
            if simple is not None:
                return simple
        unmapped = any(candidate.category is None for candidate in candidates)
        if decision is Decision.PASS:
            confidence = candidates[0].confidence if candidates else None
            return Judgement(decision, Category.NONE, Severity.NONE, ("decision",), unmapped, confidence)
        winner, reason = self._winner(decision, candidates)
        if winner is not None and winner.category and reason == "category":
            category = winner.category
            severity, step = self._severities[decision, category]
            rules = ["decision", "category", step] if step else ["decision", "category"]
        else:
            category, severity, rules = Category.OTHER, self.scale.base[decision], ["decision", reason]
        confidence = winner.confidence if winner is not None else None
        if suspect_low and decision is Decision.REVIEW:
            severity = _step_down(severity, "suspect-low", rules)
        low = self.scale.low_confidence
        if (
            machine
            and decision is Decision.BLOCK
            and confidence is not None
            and confidence < low.below
            and source in low.sources
        ):
            severity = _step_down(severity, "low-confidence", rules)
        if rules[-1] in ("suspect-low", "low-confidence"):
            rules.sort(key=_RULE_ORDER.index)
        return Judgement(decision, category, severity, tuple(rules), unmapped, confidence)

    def judge_people(self, verdict: PeoplesDecision, candidate: Candidate | None) -> Judgement:
        """Step 6: a person decided through an action of their own; `candidate` is the reason that they gave."""
        unmapped = candidate is not None and candidate.category is None
        if verdict.decision is Decision.PASS:
            return Judgement(verdict.decision, Category.NONE, Severity.NONE, ("decision",), unmapped)
        category = candidate.category if candidate else None
        rules: tuple[str, ...] = ("decision", "category", "human")
        if category is None or category is Category.NONE:
            category = Category.OTHER
            rules = ("decision", "human", "unmapped") if unmapped else ("decision", "human")
        severity = verdict.severity
        if verdict.grave and category in self.scale.grave.categories:
            severity = verdict.grave
        return Judgement(verdict.decision, category, severity, rules, unmapped)

    def _winner(self, decision: Decision, candidates: Sequence[Candidate]) -> tuple[Candidate | None, str]:
        """Who decides, and by which rule: the gravest known candidate, else the first unknown, else a normal one."""
        best: Candidate | None = None
        level = -1
        for candidate in candidates:
            if candidate.category and candidate.category is not Category.NONE:
                reached = self._severities[decision, candidate.category][0].level
                if reached > level:
                    best, level = candidate, reached
        if best is not None:
            return best, "category"
        for candidate in candidates:
            if candidate.category is None:
                return candidate, "unmapped"
        return (candidates[0] if candidates else None), "contradiction"


def _severity(scale: Scale, decision: Decision, category: Category) -> tuple[Severity, str | None]:
    base = scale.base[decision]
    for name, steps in (("grave", scale.grave), ("light", scale.light)):
        if category in steps.categories and steps.severity.get(decision, base) != base:
            return steps.severity[decision], name
    return base, None


def _step_down(severity: Severity, rule: str, rules: list[str]) -> Severity:
    lower = _STEP_DOWN[severity]
    if lower is not severity:
        rules.append(rule)
    return lower


@cache
def built_in() -> Tables:
    """The tables that ship with Moderato."""
    return load(BUILT_IN)


def load(folder: Path, overrides: Path | None = None) -> Tables:
    """Tables of a folder, with a tenant's overrides on top. Raises Fatal that names every fault with its place.

    `overrides` is one YAML file, `{version, scale: {…}, <vendor>: {decisions, people, labels}}`, each part optional;
    single words are added or replaced. The version then reads `<tables>+<overrides>`.
    """
    faults: list[str] = []
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    read = {name: _read(path, faults) for name, path in files.items()}
    extra = _read(overrides, faults) if overrides else {}
    if not faults and SCALE not in read:
        faults.append(f"{folder}: scale.yaml is missing")
    version_extra = extra.pop("version", None) if overrides else None
    if overrides and not faults and not isinstance(version_extra, str):
        faults.append(f"{overrides}: version is missing or not text")
    for name, part in extra.items():
        if name not in read:
            faults.append(f"{overrides}: {name}: no such table (there are: {', '.join(sorted(read))})")
        elif not isinstance(part, dict):
            faults.append(f"{overrides}: {name}: not a mapping")
        else:
            read[name] = _merged(read[name], part)
    if faults:
        raise Fatal("\n".join(faults))
    versions = {str(part.get("version")) for part in read.values()}
    if len(versions) > 1:
        faults.append(f"{folder}: the tables are of different versions: {', '.join(sorted(versions))}")
    scale = _validated(Scale, read.pop(SCALE), files[SCALE], faults)
    vendors = {name: _validated(VendorTable, part, files[name], faults) for name, part in read.items()}
    if faults or scale is None:
        raise Fatal("\n".join(faults))
    version = f"{scale.version}+{version_extra}" if version_extra else scale.version
    return Tables(scale, {name: table for name, table in vendors.items() if table}, version)


def _validated(model: type[_T], data: dict[str, Any], path: Path, faults: list[str]) -> _T | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults += [f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return None


def _merged(base: Any, extra: Any) -> Any:
    """`extra` laid over `base`, mapping by mapping; codes are compared as `as_code` reads them."""
    if not isinstance(base, dict) or not isinstance(extra, dict):
        return extra
    names = {as_code(key): key for key in base}
    merged = dict(base)
    for key, value in extra.items():
        name = names.get(as_code(key), key)
        merged[name] = _merged(base[name], value) if name in base else value
    return merged


def _read(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        return read_mapping(path)
    except Fatal as fault:
        faults.append(str(fault))
        return {}
