"""The SQLite file: what is in it survives whatever happens to the process, and damage costs no more than it hit."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.spool import file as module
from ingest.spool import salvage
from ingest.spool.entry import Entry, decode, encode
from ingest.spool.file import Row, SpoolFile
from ingest.spool.log import log_of
from moderato.errors import Fatal, Retryable
from moderato.metrics import REGISTRY

BUCKETS = 64


def row(number: int, size: int = 1500) -> Row:
    entry = Entry(f"topic-{number % 2}", b"k", b"%08d" % number * (size // 8), [("ce_id", b"%d" % number)])
    return Row(1000 + number, number % 7, entry.topic.encode(), encode(entry))


def numbers(spool: SpoolFile, entries: int = 100_000) -> list[int]:
    found = []
    for stored in spool.read(entries, 1 << 40).entries:
        value = decode(stored.record).value
        found.append(int(value[:8]))
        assert stored.record == row(found[-1], len(value)).record
    return found


def filled(directory: Path, count: int = 1000) -> None:
    spool = SpoolFile(directory, buckets=BUCKETS)
    spool.open()
    for start in range(0, count, 50):
        spool.append([row(number) for number in range(start, start + 50)])
    spool.close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolFile]:
    spool = SpoolFile(tmp_path / "made" / "spool", buckets=BUCKETS)
    spool.open()
    yield spool
    spool.close()


def killed(spool: SpoolFile, target: Path) -> Path:
    """The directory as it would be found had the process been killed now."""
    shutil.copytree(spool.path.parent, target)
    return target


def reopened(directory: Path) -> SpoolFile:
    spool = SpoolFile(directory, buckets=BUCKETS)
    spool.open()
    return spool


def set_aside(reason: str) -> float:
    return REGISTRY.get_sample_value("moderato_spool_set_aside_total", {"reason": reason}) or 0.0


# --- What it keeps


def test_entries_come_out_in_the_order_in_which_they_went_in(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(20)])
    state = spool.append([row(number) for number in range(20, 30)])
    assert (state.entries, state.oldest) == (30, 1000)
    assert numbers(spool) == list(range(30))
    assert numbers(spool, 7) == list(range(7))


def test_a_batch_holds_no_more_bytes_than_asked_for_but_one_entry_at_least(spool: SpoolFile) -> None:
    spool.append([row(0, 80_000), row(1), row(2), row(3)])
    assert len(spool.read(100, 1000).entries) == 1
    assert len(spool.read(100, 80_100).entries) == 2
    assert len(spool.read(100, 90_000).entries) == 4


def test_what_is_removed_is_gone_and_the_rest_stays(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(10)])
    batch = spool.read(10, 1 << 30)
    state = spool.remove(batch, batch.entries[0:3] + batch.entries[5:6])
    assert (state.entries, state.oldest) == (6, 1003)
    assert numbers(spool) == [3, 4, 6, 7, 8, 9]
    assert spool.remove(batch, batch.entries[0:3]).entries == 6
    spool.append([row(10)])
    assert spool.remove(spool.read(100, 1 << 30), spool.read(100, 1 << 30).entries).oldest is None
    assert spool.read(100, 1 << 30).entries == []


def test_a_number_is_never_used_twice(spool: SpoolFile) -> None:
    spool.append([row(0)])
    batch = spool.read(1, 1)
    spool.remove(batch, batch.entries)
    spool.append([row(1)])
    spool.remove(batch, batch.entries)
    assert numbers(spool) == [1]


def test_what_is_set_aside_is_kept_with_its_reason(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(3)])
    batch = spool.read(3, 1 << 30)
    state = spool.set_aside(batch, batch.entries[1:2], "corrupt: its checksum is wrong")
    assert state.entries == 2
    assert numbers(spool) == [0, 2]
    spool.close()
    with closing(sqlite3.connect(spool.path)) as connection:
        assert connection.execute("SELECT seq, at, topic, reason, record FROM set_aside").fetchall() == [
            (2, 1001, b"topic-1", "corrupt: its checksum is wrong", row(1).record)
        ]


def test_a_start_finds_topics_and_how_many_entries_each_bucket_has(spool: SpoolFile, tmp_path: Path) -> None:
    spool.append([row(number) for number in range(14)])
    again = SpoolFile(killed(spool, tmp_path / "copy"), buckets=BUCKETS)
    state, contents = again.open()
    again.close()
    assert (state.entries, state.oldest) == (14, 1000)
    assert contents.topics == {"topic-0", "topic-1"}
    assert list(contents.buckets[:8]) == [2] * 7 + [0]


def test_disk_space_is_given_back_once_all_is_removed(tmp_path: Path) -> None:
    filled(tmp_path, 12_000)
    spool = reopened(tmp_path)
    assert spool.path.stat().st_size > 16 * 1024**2
    batch = spool.read(20_000, 1 << 40)
    spool.remove(batch, batch.entries)
    assert sum(path.stat().st_size for path in tmp_path.glob("spool.sqlite*")) < 1024**2
    spool.append([row(1)])
    assert numbers(spool) == [1]
    spool.close()


def test_only_its_owner_may_read_it(spool: SpoolFile) -> None:
    assert [path.stat().st_mode & 0o077 for path in spool.path.parent.glob("spool.sqlite*")] == [0, 0]
    assert spool.path.parent.stat().st_mode & 0o077 == 0


# --- Where it can be


def test_a_directory_belongs_to_one_receiver(spool: SpoolFile) -> None:
    second = SpoolFile(spool.path.parent, buckets=BUCKETS)
    with pytest.raises(Fatal, match=r"spool\.directory .*another receiver uses it"):
        second.open()
    spool.close()
    second.open()
    second.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=r"spool\.directory .*file"):
        SpoolFile(tmp_path / "file" / "spool", buckets=BUCKETS).open()
    assert module.fault_of(tmp_path / "file") == f"{tmp_path / 'file'} is not a directory"
    assert module.fault_of(tmp_path / "new" / "deep") is None


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").mkdir()
    with pytest.raises(Fatal, match=r"spool\.directory .*"):
        reopened(tmp_path)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert module.fault_of(tmp_path / "new") == f"{tmp_path} cannot be written"


def test_a_spool_of_another_version_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, 50)
    with closing(sqlite3.connect(tmp_path / "spool.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(Fatal, match="version 2, this Moderato reads 1"):
        reopened(tmp_path)
    assert not list(tmp_path.glob("*corrupt*"))


# --- Killed


def test_what_was_committed_survives_a_kill(spool: SpoolFile, tmp_path: Path) -> None:
    for number in range(5):
        spool.append([row(number)])
    batch = spool.read(2, 1 << 30)
    spool.remove(batch, batch.entries)
    again = reopened(killed(spool, tmp_path / "copy"))
    assert numbers(again) == [2, 3, 4]
    again.close()


@pytest.mark.parametrize("cut", [1, 100, 4096, 8192, 8300])
def test_a_torn_last_page_of_the_log_costs_only_the_commit_that_was_being_written(
    spool: SpoolFile, tmp_path: Path, cut: int
) -> None:
    for number in range(5):
        spool.append([row(number)])
    before = (spool.path.parent / "spool.sqlite-wal").stat().st_size
    spool.append([row(5, 80)])
    copy = killed(spool, tmp_path / "copy")
    journal = copy / "spool.sqlite-wal"
    assert journal.stat().st_size - before > cut
    os.truncate(journal, journal.stat().st_size - cut)
    again = reopened(copy)
    assert numbers(again) == [0, 1, 2, 3, 4]
    assert not list(copy.glob("*corrupt*"))
    again.append([row(6)])
    assert numbers(again) == [0, 1, 2, 3, 4, 6]
    again.close()


def test_garbage_behind_the_end_of_the_log_is_ignored(spool: SpoolFile, tmp_path: Path) -> None:
    spool.append([row(0)])
    copy = killed(spool, tmp_path / "copy")
    with (copy / "spool.sqlite-wal").open("ab") as journal:
        journal.write(os.urandom(20_000))
    again = reopened(copy)
    assert numbers(again) == [0]
    again.close()


# --- Damaged


def damage(path: Path, offset: int, size: int = 8192) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * size)


def saved_from(directory: Path) -> list[int]:
    spool = reopened(directory)
    found = numbers(spool)
    spool.append([row(99_999)])
    assert numbers(spool) == [*found, 99_999]
    spool.close()
    assert [path.name for path in directory.glob("*.new*")] == []
    again = reopened(directory)
    assert numbers(again) == [*found, 99_999]
    again.close()
    return found


@pytest.mark.parametrize("page", [5, 60, 120, 190])
def test_a_damaged_page_costs_what_stood_on_it_and_no_more(tmp_path: Path, page: int) -> None:
    filled(tmp_path)
    lost = set_aside("damaged")
    damage(tmp_path / "spool.sqlite", page * 8192)
    found = saved_from(tmp_path)
    assert found == sorted(found)
    assert 990 <= len(found) < 1000
    assert set_aside("damaged") - lost == 1000 - len(found)
    assert (tmp_path / "spool.sqlite.corrupt-1").exists()


@pytest.mark.parametrize("page", [0, 1, 2])
def test_nothing_is_lost_with_a_page_that_only_leads_to_entries(tmp_path: Path, page: int) -> None:
    filled(tmp_path)
    damage(tmp_path / "spool.sqlite", page * 8192)
    assert saved_from(tmp_path) == list(range(1000))


@pytest.mark.parametrize("offset", [0, 12, 32, 100_000, 200_000])
def test_a_log_that_is_damaged_before_its_end_gives_what_stands_behind(
    spool: SpoolFile, tmp_path: Path, offset: int
) -> None:
    for number in range(0, 300, 10):
        spool.append([row(number + each) for each in range(10)])
    copy = killed(spool, tmp_path / "copy")
    damage(copy / "spool.sqlite-wal", offset, 100)
    assert len(saved_from(copy)) >= 294
    assert (copy / "spool.sqlite.corrupt-1").exists()


def test_what_was_half_written_when_the_process_was_killed_is_no_damage(
    spool: SpoolFile, tmp_path: Path
) -> None:
    for number in range(5):
        spool.append([row(number)])
    copy = killed(spool, tmp_path / "copy")
    frame = 24 + 8192
    journal = (copy / "spool.sqlite-wal").read_bytes()
    # Frames of a transaction without its end, with the salt of the log and a checksum that does not match.
    begun = journal[-frame : -frame + 4] + bytes(4) + journal[-frame + 8 :]
    (copy / "spool.sqlite-wal").write_bytes(journal + begun * 3)
    assert saved_from(copy) == [0, 1, 2, 3, 4]
    assert not list(copy.glob("*corrupt*"))


def test_long_entries_are_put_together_from_their_pages(tmp_path: Path) -> None:
    spool = reopened(tmp_path)
    sizes = [100, 8100, 8160, 8200, 20_000, 1_000_000, 2_000_000, 30_000]
    spool.append([row(number, size) for number, size in enumerate(sizes)])
    copy = killed(spool, tmp_path / "copy")
    spool.close()
    damage(copy / "spool.sqlite-wal", 32 + 24, 10)
    assert saved_from(copy) == list(range(8))
    damage(copy / "spool.sqlite", 0, 100)
    assert saved_from(copy)[:8] == list(range(8))


def test_several_damaged_places_are_each_passed_over(tmp_path: Path) -> None:
    filled(tmp_path)
    for page in (10, 11, 80, 150, 198):
        damage(tmp_path / "spool.sqlite", page * 8192 + 100, 4000)
    found = saved_from(tmp_path)
    assert found == sorted(found)
    assert 970 <= len(found) < 1000


def test_a_database_that_was_cut_off_gives_what_is_left(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "spool.sqlite"
    os.truncate(path, path.stat().st_size // 2 + 77)
    found = saved_from(tmp_path)
    assert found == list(range(len(found)))
    assert 400 < len(found) < 600


@pytest.mark.parametrize("content", [b"no database at all" * 1000, os.urandom(50_000)])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool.sqlite").write_bytes(content)
    assert saved_from(tmp_path) == []
    assert (tmp_path / "spool.sqlite.corrupt-1").read_bytes() == content


def test_a_database_of_something_else_is_set_aside(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.sqlite")) as connection:
        connection.execute("CREATE TABLE entries (what)")
    assert saved_from(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / "spool.sqlite.corrupt-1")) as connection:
        assert connection.execute("SELECT * FROM entries").fetchall() == []


def test_a_database_cut_to_nothing_is_not_taken_for_a_new_one(spool: SpoolFile, tmp_path: Path) -> None:
    spool.append([row(0)])
    copy = killed(spool, tmp_path / "copy")
    os.truncate(copy / "spool.sqlite", 0)
    assert saved_from(copy) == [0]
    assert (copy / "spool.sqlite.corrupt-1").exists()


def test_each_damaged_database_keeps_its_own_name(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / "spool.sqlite").write_bytes(b"%d" % number * 9000)
        saved_from(tmp_path)
        assert (tmp_path / f"spool.sqlite.corrupt-{number}").read_bytes() == b"%d" % number * 9000


def test_damage_that_shows_while_it_is_in_use_is_mended_as_well(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(2000)])
    spool.append([row(number) for number in range(2000, 2010)])
    early = spool.read(5, 1 << 30)
    assert spool._connection is not None
    spool._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool._connection.execute("PRAGMA shrink_memory")
    damage(spool.path, 200 * 8192)
    found = numbers(spool)
    assert found == sorted(found)
    assert 2000 <= len(found) < 2010
    # What is still in hand from before has other numbers now.
    assert spool.remove(early, early.entries).entries == len(found)
    assert numbers(spool) == found
    assert spool.append([row(5000)]).entries == len(found) + 1


def test_a_row_whose_columns_make_no_sense_does_not_stop_the_others(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(4)])
    assert spool._connection is not None
    spool._connection.execute("UPDATE entries SET at = 'x', bucket = x'ff', topic = 7 WHERE seq = 1")
    assert spool.append([row(4)]).oldest == 0
    assert numbers(spool) == [0, 1, 2, 3, 4]


def interrupted(directory: Path) -> None:
    """A new database is complete, and the damaged one still in its place."""
    filled(directory, 100)
    path = directory / "spool.sqlite"
    shutil.copy(path, directory / "spool.sqlite.new")
    damage(path, 9 * 8192)


def aside_without_its_log(directory: Path) -> None:
    interrupted(directory)
    (directory / "spool.sqlite").rename(directory / "spool.sqlite.corrupt-1")
    (directory / "spool.sqlite-wal").write_bytes(b"of the damaged one")


def aside(directory: Path) -> None:
    aside_without_its_log(directory)
    (directory / "spool.sqlite-wal").rename(directory / "spool.sqlite.corrupt-1-wal")


@pytest.mark.parametrize("state", [aside_without_its_log, aside])
def test_a_replacement_that_was_killed_half_way_is_finished(
    tmp_path: Path, state: Callable[[Path], None]
) -> None:
    state(tmp_path)
    assert saved_from(tmp_path) == list(range(100))
    assert (tmp_path / "spool.sqlite.corrupt-1-wal").read_bytes() == b"of the damaged one"
    assert not (tmp_path / "spool.sqlite.corrupt-2").exists()


def test_a_replacement_that_was_killed_before_its_end_begins_anew(tmp_path: Path) -> None:
    interrupted(tmp_path)
    (tmp_path / "spool.sqlite.new-wal").write_bytes(b"half a log")
    found = saved_from(tmp_path)
    assert found == sorted(found)
    assert 90 <= len(found) < 100


def test_when_the_replacement_cannot_be_written_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    damage(tmp_path / "spool.sqlite", 100 * 8192)
    before = (tmp_path / "spool.sqlite").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_PRAGMAS", (*module._PRAGMAS, "PRAGMA max_page_count = 20"))
        with pytest.raises(Fatal, match=r"spool\.directory .*full"):
            reopened(tmp_path)
    assert (tmp_path / "spool.sqlite").read_bytes() == before
    assert len(saved_from(tmp_path)) > 990


def test_when_it_cannot_be_replaced_at_once_it_is_tried_again(
    spool: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append([row(number) for number in range(1000)])
    assert spool._connection is not None
    spool._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool._connection.execute("PRAGMA shrink_memory")
    damage(spool.path, 100 * 8192)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_PRAGMAS", (*module._PRAGMAS, "PRAGMA max_page_count = 20"))
        with pytest.raises(sqlite3.OperationalError, match="full"):
            numbers(spool)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            spool.append([row(1000)])
    assert spool.append([row(1000)]).entries > 990


def test_a_new_file_that_is_not_complete_takes_no_place(tmp_path: Path) -> None:
    filled(tmp_path)

    class LeavesItsLog:
        def __init__(self, path: Path) -> None:
            self.path = path
            self.connection = module._connection(path)
            self.execute = self.connection.execute

        def close(self) -> None:
            self.connection.close()
            log_of(self.path).write_bytes(b"not copied")

    with pytest.raises(OSError, match="could not be completed"):
        salvage.replace(tmp_path / "spool.sqlite", LeavesItsLog, module._PAGE)  # type: ignore[arg-type]
    assert not list(tmp_path.glob("*corrupt*"))
    assert saved_from(tmp_path) == list(range(1000))


# --- A disk that is full


def test_without_its_reserve_it_takes_nothing(spool: SpoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    spool._reserve.release()
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(Retryable, match="disk is full"):
            spool.append([row(0)])
    assert not (spool.path.parent / "spool.reserve").exists()
    assert spool.append([row(0)]).entries == 1
    assert (spool.path.parent / "spool.reserve").stat().st_size == 16 * 1024**2


def test_a_commit_that_fails_leaves_nothing(spool: SpoolFile) -> None:
    spool.append([row(number) for number in range(20)])
    assert spool._connection is not None
    spool._connection.execute("PRAGMA max_page_count = 30")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        spool.append([row(number) for number in range(20, 1000)])
    assert numbers(spool) == list(range(20))
    assert spool.append([row(20)]).entries == 21


def test_a_removal_that_fails_for_another_reason_keeps_the_reserve(spool: SpoolFile) -> None:
    spool.append([row(0)])
    batch = spool.read(1, 1)
    assert spool._connection is not None
    spool._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        spool.remove(batch, batch.entries)
    assert spool._reserve.held


def test_salvage_tells_a_full_disk_from_a_damaged_file(tmp_path: Path) -> None:
    filled(tmp_path)

    def create(path: Path) -> sqlite3.Connection:
        connection = module._connection(path)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    with pytest.raises(sqlite3.OperationalError, match="full"):
        salvage.replace(tmp_path / "spool.sqlite", create, module._PAGE)
    assert (tmp_path / "spool.sqlite").exists()
