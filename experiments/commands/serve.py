"""The web page and the HTTP API: `faces serve`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    network: Annotated[
        str, typer.Option("--network", help="A run, a known network (`faces networks`), or an exported embedding.")
    ] = "sface",
    gallery: Annotated[
        str | None,
        typer.Option("--gallery", metavar="GALLERY", help="File or URL of the people; made where there is none."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; others than loopback need API keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", metavar="FILE", help="Hashes of the API keys; requires a key then.")
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option("--new-key", metavar="NAME", help="Make a key in --api-key-file, print it once, and end."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Name that clients type for this server; repeatable."),
    ] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails/--no-thumbnails", help="Store a small image of each face that is enrolled.")
    ] = True,
    rate: Annotated[int, typer.Option("--rate", min=0, help="Requests a minute and client; 0 for no limit.")] = 600,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Requests that may wait; more are answered 429.")] = 16,
) -> None:
    """Serve a web page and an HTTP API: match, detect, embed, enroll and identify faces.

    Listens on this machine only, unless --api-key-file is given. Loads nothing from other servers. Without --gallery,
    nothing is stored.

    Example: `faces serve --gallery people.gallery --port 8000`
    """
    if new_key is not None:
        if api_key_file is None:
            raise typer.BadParameter("needs --api-key-file FILE, where its hash is stored", param_hint="--new-key")
        from experiments.progress import say
        from experiments.serve.keys import add_key

        say(f"{add_key(api_key_file, new_key)}")
        say(f"the key of {new_key}, shown only now; {api_key_file} holds its hash")
        return
    from experiments.serve.app import serve as run_server
    from experiments.serve.settings import ServeSettings

    run_server(
        ServeSettings(
            network=network,
            gallery=gallery,
            thumbnails=thumbnails,
            host=host,
            port=port,
            api_key_file=api_key_file,
            hosts=tuple(allow_host or ()),
            rate=rate,
            queue=queue,
        )
    )
