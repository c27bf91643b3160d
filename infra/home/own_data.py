"""`init`: what one's own files mean, written into a new home for `up` to go by, and told."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from features.durable import write_whole
from features.errors import BadInput
from features.schema.document import read_document
from infra.home.paths import Home
from offline.datasets.own.description import write_description
from offline.datasets.own.proposal import Proposal, by_count, propose
from offline.datasets.own.recogniser import recognise


def init_home(home: Home, paths: Sequence[Path], preset: str | None, force: bool) -> list[str]:
    """Write the home's schema.toml and dataset.toml; returns what to print. Raises BadInput for files that hold no events or
    items, and where one of the two is there already, unless forced; nothing is written then."""
    for file in (home.schema_file, home.dataset_file):
        if file.exists() and not force:
            raise BadInput(str(file), "no such file yet, or --force to replace it", "a file that is there")
    found = recognise(paths)
    proposal = propose(found, preset)
    read_document(proposal.schema, "the proposed schema")
    home.path.mkdir(parents=True, exist_ok=True)
    write_whole(home.schema_file, proposal.schema.encode())
    write_description(proposal.description, home.dataset_file)
    return list(_summary(home, proposal))


def _summary(home: Home, proposal: Proposal) -> Iterator[str]:
    files = ", ".join(path.name for path in proposal.description.files())
    yield f"{proposal.description.name}: {proposal.events:,} events, {proposal.users:,} users, {proposal.items:,} items ({files})"
    for name in by_count(proposal.kinds):
        yield f"  {proposal.kinds[name]:>12,}  {name}"
    for each in proposal.attributes:
        examples = f": {', '.join(text[:24] for text in each.examples)}" if each.examples else ""
        yield f"  {each.filled:>12,}  {each.name}, {each.type}{', several' if each.many else ''}{examples}"
    for each in proposal.of_users:
        examples = f": {', '.join(text[:24] for text in each.examples)}" if each.examples else ""
        yield f"  {each.filled:>12,}  {each.name} of users, {each.type}{', several' if each.many else ''}{examples}"
    for column in proposal.of_context:
        examples = ", ".join(text[:24] for text in column.values[:3])
        yield f"  {column.filled:>12,}  {column.name} of events' context, facet: {examples}"
    if proposal.doubts:
        yield "doubts:"
        yield from (f"  - {doubt}" for doubt in proposal.doubts)
    yield f"wrote {home.schema_file}: what it means, by the preset {proposal.preset}; change what is not as you mean it"
    yield f"wrote {home.dataset_file}: which files and columns it is read from"
    yield f"next: ./martlet up --home {home.path}"
