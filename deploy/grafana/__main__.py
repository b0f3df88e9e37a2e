"""Writes the dashboards: `python -m deploy.grafana` (`make dashboards`)."""

from pathlib import Path

from deploy.grafana.boards import BOARDS, rendered

FOLDER = Path(__file__).parent / "dashboards"


def main() -> None:
    """One file a dashboard; those that no code stands for any more go."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for board in BOARDS:
        (FOLDER / f"{board.slug}.json").write_text(rendered(board), encoding="utf-8")


if __name__ == "__main__":
    main()
