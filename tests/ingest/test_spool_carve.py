"""Entries read out of files that SQLite would not read: whatever the damage, only true ones, and all that it missed."""

import random
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.spool.carve import carve
from ingest.spool.entry import Entry, decode, encode
from ingest.spool.file import Row, SpoolFile
from ingest.spool.log import frames, log_of, passed_over

PAGE = 8192
SIZES = [200, 1500, 8000, 8150, 9000, 40_000]


def row(number: int) -> Row:
    value = random.Random(number).randbytes(SIZES[number % len(SIZES)])
    entry = Entry("moderation.raw.shumei_audio", b"k%d" % number, value, [("ce_id", b"%d" % number)])
    return Row(number, number, entry.topic.encode(), encode(entry))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A database with the entries 0 to 149, and its log with 150 to 199."""
    directory = tmp_path_factory.mktemp("spool")
    spool = SpoolFile(directory, buckets=16)
    spool.open()
    spool.append([row(number) for number in range(150)])
    assert spool._connection is not None
    spool._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(150, 200):
        spool.append([row(number)])
    copy = shutil.copytree(directory, directory / "copy")
    spool.close()
    return (copy / "spool.sqlite").read_bytes(), (copy / "spool.sqlite-wal").read_bytes()


def carved(directory: Path, database: bytes, log: bytes | None) -> set[int]:
    path = directory / "spool.sqlite"
    path.write_bytes(database)
    log_of(path).unlink(missing_ok=True)
    if log is not None:
        log_of(path).write_bytes(log)
    found = set()
    for entry in carve(path, PAGE):
        number = int(decode(entry.record).key[1:])
        assert (entry.topic, entry.record) == row(number)[2:]
        assert entry.bucket == zlib.crc32(b"k%d" % number)
        found.add(number)
    return found


def test_everything_is_found_in_what_is_whole(tmp_path: Path, files: tuple[bytes, bytes]) -> None:
    assert carved(tmp_path, *files) == set(range(200))
    assert carved(tmp_path, files[0], None) == set(range(150))
    assert carved(tmp_path, b"", files[1]) >= set(range(150, 200))
    assert carved(tmp_path, b"", b"") == set()


@settings(max_examples=40)
@given(st.data())
def test_damage_anywhere_costs_only_what_it_touches(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[bytes, bytes], data: st.DataObject
) -> None:
    database, log = map(bytearray, files)
    damaged = log if data.draw(st.booleans()) else database
    at = data.draw(st.integers(0, len(damaged) - 1))
    size = data.draw(st.integers(1, 20_000))
    filling = data.draw(st.sampled_from([b"\0", b"\xff", b"\r", b"\x81"]))
    damaged[at : at + size] = filling * len(damaged[at : at + size])
    found = carved(tmp_path_factory.mktemp("damaged"), bytes(database), bytes(log))
    # A page holds five short entries at most; a long entry stands on several.
    assert len(found) >= 200 - 6 * (size // PAGE + 2)


@settings(max_examples=40)
@given(st.data())
def test_what_is_cut_off_gives_what_is_left(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[bytes, bytes], data: st.DataObject
) -> None:
    database, _ = files
    left = data.draw(st.integers(0, len(database)))
    found = carved(tmp_path_factory.mktemp("cut"), database[:left], None)
    assert len(found) >= 150 * left / len(database) - 20


@given(st.binary(max_size=PAGE), st.binary(max_size=200))
def test_no_bytes_make_it_fail(tmp_path_factory: pytest.TempPathFactory, page: bytes, log: bytes) -> None:
    directory = tmp_path_factory.mktemp("any")
    assert (
        carved(directory, bytes(PAGE) + (b"\r" + page).ljust(PAGE, page[-1:] or b"\0")[:PAGE], log) == set()
    )


def test_the_log_is_sound_up_to_the_damage(tmp_path: Path, files: tuple[bytes, bytes]) -> None:
    log = tmp_path / "log"
    log.write_bytes(files[1])
    whole = list(frames(log, PAGE))
    assert all(frame.sound for frame in whole)
    assert sum(frame.commits for frame in whole) == 50
    assert not passed_over(log, PAGE)
    frame = 24 + PAGE
    for place in (0, 10, len(whole) // 2):
        changed = bytearray(files[1])
        changed[32 + place * frame + 500] ^= 1
        log.write_bytes(changed)
        assert [each.sound for each in frames(log, PAGE)] == [n < place for n in range(len(whole))]
        assert passed_over(log, PAGE)


def test_only_the_last_commit_may_be_broken(tmp_path: Path, files: tuple[bytes, bytes]) -> None:
    log = tmp_path / "log"
    changed = bytearray(files[1])
    changed[-1] ^= 1
    log.write_bytes(changed)
    assert not passed_over(log, PAGE)
    assert not passed_over(tmp_path / "none", PAGE)
