"""YAML from outside: one mapping a file, a key given twice is an error, and every fault names its file and line."""

from pathlib import Path
from typing import Any

import yaml

from moderato.errors import Fatal


class _StrictLoader(yaml.SafeLoader):
    """A key given twice is an error: the second would silently replace the first."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool | None):
            raise yaml.MarkedYAMLError(None, None, "a key must be text or a number", key_node.start_mark)
        if key in seen:
            raise yaml.MarkedYAMLError(None, None, f"{key!r} stands here twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping. Raises Fatal that names file, line and fault."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Fatal(f"{path}: not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise Fatal(f"{where}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise Fatal(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise Fatal(f"{path}: nested too deep") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Fatal(f"{path}: a mapping is due at the top, not {type(data).__name__}")
    return data
