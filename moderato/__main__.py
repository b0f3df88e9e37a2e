"""`python -m moderato` is `moderato`."""

from moderato.cli.main import main

main()
