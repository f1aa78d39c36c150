"""A bare Typer and Rich program with one command: what ``--help`` costs without aimeter."""

import typer

app = typer.Typer()


@app.command()
def hello(name: str = typer.Option("world", help="Whom to greet.")) -> None:
    """Greet somebody."""
    from rich.console import Console

    Console().print(f"Hello, [bold]{name}[/bold]")


if __name__ == "__main__":
    app()
