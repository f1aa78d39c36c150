"""``python -m aimeter_cli`` is the ``aimeter`` command."""

from aimeter_cli.cli.main import main

if __name__ == "__main__":
    main()
