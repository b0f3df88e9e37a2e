"""`moderato explain`: what the normalizer makes of one HTTP body, or of many, without Kafka and without signatures."""

import sys
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from moderato.cli.options import Config, config_of
from moderato.sources import Source

if TYPE_CHECKING:
    from moderato.cli.reader import Reader
    from normalize.reading import Reading


def explain(
    context: typer.Context,
    source: Annotated[
        Source | None, typer.Option(help="Whose body it is; not with --jsonl.", show_default=False)
    ] = None,
    content_type: Annotated[
        str, typer.Option(help="The Content-Type header that came with it.", show_default=False)
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help='Print one JSON object a line: {"kind", "record"}.')
    ] = False,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help='Read lines {"source", "content_type", "body_b64"}, print {"n", "records"} for each.',
        ),
    ] = False,
    config: Config = None,
) -> int:
    """Read one raw HTTP body from stdin; print its verdicts and signals, and how they came about.

    Signatures are not checked, and the tenant is `default`."""
    from moderato.cli.reader import Body, Reader
    from moderato.errors import Fatal

    if jsonl and (source or content_type or as_json):
        raise Fatal("--jsonl excludes --source, --content-type and --json: each line says its own")
    if source is None and not jsonl:
        raise Fatal(f"--source is missing: whose body is it? (there are: {', '.join(Source)})")
    reader = Reader.configured(config_of(context, config))
    stdin = _stdin()
    if source is None:
        return _each_line(stdin, reader)
    reading, lines = reader.explain(Body(source, content_type, stdin.read()))
    _notices(reading)
    if as_json:
        sys.stdout.buffer.writelines(line + b"\n" for line in lines)
        sys.stdout.buffer.flush()
    else:
        from moderato.cli.chain import show

        show(reading.verdicts, reading.signals)
    return 0


def _stdin() -> BinaryIO:
    if sys.stdin.isatty():
        print("moderato: reading from the terminal; Ctrl-D ends the input", file=sys.stderr)
    return sys.stdin.buffer


def _each_line(stdin: BinaryIO, reader: "Reader") -> int:
    from moderato.cli.reader import answer_line

    stdout, code = sys.stdout.buffer, 0
    for number, line in enumerate(stdin):
        if not line.strip():
            continue
        answer, fault = answer_line(number, line, reader)
        if fault:
            code = 1
            print(f"moderato: line {number}: {fault}", file=sys.stderr)
        stdout.write(answer + b"\n")
        # Whoever feeds lines one by one waits for the answer to each.
        stdout.flush()
    return code


def _notices(reading: "Reading") -> None:
    from moderato.cli.chain import printable

    for fault in reading.faults:
        print(f"unreadable: {printable(fault)}", file=sys.stderr)
    if reading.verdicts or reading.signals:
        return
    if reading.faults:
        print(f"nothing but a dead letter: {reading.raw.source} carries no content to judge", file=sys.stderr)
    else:
        print(f"ignored: nothing in this {reading.raw.source} body is a verdict or a signal", file=sys.stderr)
