"""Shumei's labels: which of them may decide (candidates), and all of them as they are kept in a verdict."""

from collections.abc import Sequence
from functools import lru_cache

from moderato.records import Category, Decision, Label
from normalize.mappings.shumei_keys import opened, opened_all
from normalize.payload import Json, Object, Unreadable, an_object, as_code, as_id, as_int, as_ratio, as_text
from normalize.scale import Candidate, VendorTable

# The one description that means something to a program: the customer's own list was hit.
_OWN_LIST = "命中自定义名单"
_CANDIDATES: dict[Category | None, Candidate] = {
    category: Candidate(category) for category in (None, *Category)
}
_WORDS = ("riskLabel1", "riskLabel2", "riskLabel3", "riskDescription")
_TEXTS = frozenset((str, type(None)))
_LONGEST_CACHED = 120  # characters of all words, of a tag, or of its value
# Tags that are objects or lists of them; `song` is a bare number.
_TAGS_WITH_PROBABILITY = frozenset(("gender", "timbre", "language"))


def is_labelled(record: Object) -> bool:
    """Whether a record says itself what was found in it."""
    return bool(
        record.get("riskLabel1")
        or record.get("riskType") is not None
        or record.get("allLabels")
        or record.get("riskDescription")
    )


def risk_labels(
    record: Object, decision: Decision, table: VendorTable, risk_type: str, listed: bool
) -> tuple[Sequence[Label], Sequence[Candidate]]:
    """Every risk label of a record, each once, and those that may decide: the record's own, and those of allLabels at
    the record's riskLevel. `risk_type` is the table of the older layouts' numbers; `listed`: a word of the customer's
    own lists was found, so that a label no table has is the customer's own."""
    if not record.get("allLabels") and record.get("riskType") is None:
        get = record.get
        words = (get("riskLabel1"), get("riskLabel2"), get("riskLabel3"), get("riskDescription"))
        if _TEXTS.issuperset(map(type, words)) and sum(map(len, filter(None, words))) <= _LONGEST_CACHED:
            return _cached_risk_labels(*words, decision, table, risk_type, listed)
    return _risk_labels(record, decision, table, risk_type, listed)


def _risk_labels(
    record: Object, decision: Decision, table: VendorTable, risk_type: str, listed: bool
) -> tuple[Sequence[Label], Sequence[Candidate]]:
    own_list = record.get("riskDescription") == _OWN_LIST
    listed = listed or own_list
    labels: dict[str, Label] = {}
    candidates: list[Candidate] = []
    code = as_id(record.get("riskLabel1"))
    if code is not None:
        category = _category(table, "riskLabel1", code, listed)
        candidates.append(_CANDIDATES[category])
        _keep(record, code, category, labels)
    elif (code := as_id(record.get("riskType"))) is not None:
        category = _category(table, risk_type, code, listed)
        candidates.append(_CANDIDATES[category])
        name = as_text(record.get("riskTypeDesc")) or as_text(record.get("description"))
        labels[code] = Label(code, category or Category.OTHER, name)
    for entry in opened_all(record, "allLabels"):
        code = as_id(entry.get("riskLabel1"))
        if code is not None:
            own = entry.get("riskDescription") == _OWN_LIST
            category = Category.CUSTOM if own else _category(table, "riskLabel1", code, listed)
            if table.decision("riskLevel", entry.get("riskLevel")) is decision:
                candidates.append(_CANDIDATES[category])
            _keep(entry, code, category, labels)
    return tuple(labels.values()), (_CANDIDATES[Category.CUSTOM],) if own_list else candidates


@lru_cache(maxsize=4096)
def _cached_risk_labels(
    label1: str | None,
    label2: str | None,
    label3: str | None,
    description: str | None,
    decision: Decision,
    table: VendorTable,
    risk_type: str,
    listed: bool,
) -> tuple[Sequence[Label], Sequence[Candidate]]:
    """There are a few hundred combinations of the three levels, and labels are immutable: verdicts may share them."""
    record = dict(zip(_WORDS, (label1, label2, label3, description), strict=True))
    return _risk_labels(record, decision, table, risk_type, listed)


def _category(table: VendorTable, field: str, code: str, listed: bool) -> Category | None:
    category = table.category(field, as_code(code))
    return Category.CUSTOM if category is None and listed else category


def _keep(entry: Object, code: str, category: Category | None, labels: dict[str, Label]) -> None:
    """Adds those of one label's three levels that are new, the lower ones in the category of the first."""
    kept = category or Category.OTHER
    if code not in labels:
        labels[code] = Label(code, kept, as_text(entry.get("riskDescription")))
    for key in ("riskLabel2", "riskLabel3"):
        lower = as_id(entry.get(key))
        if lower is not None and lower not in labels:
            labels[lower] = Label(lower, kept)


def business_labels(record: Object) -> list[Label]:
    """What Shumei tells of a voice or a picture without judging it: businessLabels and audioTags, category none."""
    labels: list[Label] = []
    for key in ("businessLabels", "audioTags"):
        value = record.get(key)
        if not value and isinstance(value, dict | list):
            continue
        if isinstance(value, dict):
            for tag, content in value.items():
                _keep_tag(tag, content, labels)
        elif isinstance(value, list):
            for item in value:
                _keep_business(opened(item, f"an element of {key}"), labels)
        elif value is not None:
            raise Unreadable(f"{key} is neither an object nor a list")
    minor = record.get("minorLabel")
    if minor is True or as_int(minor) == 1:
        labels.append(Label("minorLabel", Category.NONE))
    return labels


def _keep_business(entry: Object, labels: list[Label]) -> None:
    code = as_id(entry.get("businessLabel1"))
    if code is None:
        return
    rate = entry.get("probability")
    confidence = as_ratio(rate)
    if confidence is None:
        confidence = as_ratio(rate, 100.0)
    name, level = as_text(entry.get("businessDescription")), as_int(entry.get("confidenceLevel"))
    labels.append(Label(code, Category.NONE, name, level, confidence))
    seen = {code}
    for key in ("businessLabel2", "businessLabel3"):
        lower = as_id(entry.get(key))
        if lower is not None and lower not in seen:
            seen.add(lower)
            labels.append(Label(lower, Category.NONE))


def _keep_tag(tag: str, content: Json, labels: list[Label]) -> None:
    if isinstance(content, dict):
        labels.append(_tag(tag, content))
    elif isinstance(content, list):
        labels += [_tag(tag, an_object(item, f"an element of {tag}")) for item in content]
    elif content is not None:
        if tag in _TAGS_WITH_PROBABILITY:
            raise Unreadable(f"{tag} is neither an object nor a list")
        labels.append(_bare(tag, content))


def _bare(tag: str, content: Json) -> Label:
    """A tag without a rate."""
    if type(content) is int and len(tag) <= _LONGEST_CACHED:
        return _cached_bare(tag, content)
    return _new_bare(tag, content)


def _new_bare(tag: str, content: Json) -> Label:
    return Label(tag, Category.NONE, as_id(content))


def _tag(tag: str, content: Object) -> Label:
    """One value of a tag, with its rate on a scale of 0 to 100."""
    value = content.get("label")
    rate = content.get("probability")
    if rate is None:
        rate = content.get("confidence")
    if (
        type(rate) is int
        and (type(value) is int or (type(value) is str and len(value) <= _LONGEST_CACHED))
        and len(tag) <= _LONGEST_CACHED
    ):
        return _cached_tag(tag, value, rate)
    return _new_tag(tag, value, rate)


def _new_tag(tag: str, value: Json, rate: Json) -> Label:
    return Label(tag, Category.NONE, as_id(value), None, as_ratio(rate, 100.0))


# A callback brings ten and more of these few hundred values; labels are immutable, so that verdicts may share them.
_cached_tag = lru_cache(maxsize=8192)(_new_tag)
_cached_bare = lru_cache(maxsize=1024)(_new_bare)
