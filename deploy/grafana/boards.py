"""All dashboards, in the order in which one looks at them."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import moderation, overview, pipeline, sessions, vendors
from deploy.grafana.board import Board

BOARDS = (overview.BOARD, vendors.BOARD, sessions.BOARD, pipeline.BOARD, moderation.BOARD)


def rendered(board: Board) -> str:
    """The dashboard as the text of a file."""
    return JSONEncoder(sort_keys=True, indent=2).encode(board.json()) + "\n"
