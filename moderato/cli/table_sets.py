"""A set of tables to read history with: those that are configured, a folder of tables, or one file of overrides."""

from dataclasses import dataclass
from pathlib import Path

from moderato.errors import Fatal
from moderato.settings import Settings
from normalize.reading import TenantView
from normalize.scale import BUILT_IN, Tables, built_in, load
from normalize.worker import Normalizer, tenant_views


@dataclass(frozen=True, slots=True)
class TableSet:
    """`name` is what it was called on the command line, `version` that of a tenant without tables of its own."""

    name: str
    version: str
    normalizer: Normalizer


def table_set(path: Path | None, settings: Settings) -> TableSet:
    """A folder stands for the tables that ship with Moderato, with each tenant's own on top; a file of overrides for
    every tenant's own; None for what is configured. Raises Fatal that names every fault."""
    if path is None:
        return TableSet("as configured", built_in().version, Normalizer(tenant_views(settings)))
    if path.is_dir():
        tables = load(path)
        own = {
            name: load(path, each.tables) if each.tables else tables
            for name, each in settings.tenants.items()
        }
    elif path.is_file():
        tables = load(BUILT_IN, path)
        own = dict.fromkeys(settings.tenants, tables)
    else:
        raise Fatal(f"--tables {path}: no such folder or file")
    return TableSet(str(path), tables.version, _normalizer(own, tables, settings))


def _normalizer(own: dict[str, Tables], tables: Tables, settings: Settings) -> Normalizer:
    views = {name: TenantView(own[name], each.timezone) for name, each in settings.tenants.items()}
    return Normalizer(views, default=TenantView(tables))
