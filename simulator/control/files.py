"""What iFlytek finds in the files of a task: the same each time it is asked."""

from random import Random
from typing import Any

from simulator.callbacks import iflytek_audio
from simulator.callbacks.contract import Moment
from simulator.control.book import Task
from simulator.rooms import Decision, make_rooms


def files_of(task: Task) -> list[dict[str, Any]]:
    """`result_list` of the finished task: an entry for each file, under the name it was given."""
    random = Random(task.id)
    found = []
    for name in task.details["names"]:
        room = make_rooms(1, random)[0]
        decisions: tuple[Decision, ...] = ("pass", "pass", "pass", "review", "block")
        segment = room.segment(0, task.started, random.choice(decisions), random)
        told = iflytek_audio.tell(Moment(0, segment, False, "0" * 32, task.started, {}, random))
        data = told.content.get("data", told.content)
        found.append(data["result_list"][0] | {"name": name})
    return found
