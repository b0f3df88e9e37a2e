"""What every section of the configuration is built from: strict models, and secrets that may come from files."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, SecretStr

STRICT = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
"""Of every section: an unknown key is a fault, and nothing changes after the start."""


def _from_file(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) != {"file"} or not isinstance(value["file"], str):
        raise ValueError("a secret is text, or {file: /path}")
    try:
        text = Path(value["file"]).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read the secret file {value['file']}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the secret file {value['file']} is not UTF-8") from error
    return text.removesuffix("\n").removesuffix("\r")


def _not_empty(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        raise ValueError("the secret is empty")
    return secret


Secret = Annotated[SecretStr, BeforeValidator(_from_file), AfterValidator(_not_empty)]
