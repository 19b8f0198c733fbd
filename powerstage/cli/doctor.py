"""``powerstage doctor``: what works here, and what does not."""

import click

from powerstage.cli.common import json_option, leave, now, results
from powerstage.display.document import document, observations_part
from powerstage.display.observations import show_observations
from powerstage.doctor import diagnose


@click.command()
@click.argument("feed", required=False)
@json_option
def doctor(feed: str | None, *, as_json: bool) -> None:
    """Look at versions, worker and credentials; with FEED, at its bucket or folder, too.

    FEED is s3://bucket/prefix or a folder. Nothing is deleted; a contract that stands there is
    created once more, with its own bytes, to see that the store refuses. Exit 3 for a problem.
    """
    observed = diagnose(feed, clock=now)
    show_observations(results(as_json), observed)
    code = 3 if any(seen.state == "problem" for seen in observed) else 0
    parts = observations_part(observed)
    leave(code, as_json, document("doctor", code, feed=feed, observations=parts))
