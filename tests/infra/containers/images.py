"""The Dockerfiles as the tests read them: instruction by instruction, lines that go on joined."""

import re
from typing import Final

from tests.infra.containers.compose_file import FOLDER

IMAGES: Final = tuple(sorted(path.stem for path in (FOLDER / "images").glob("*.Dockerfile")))


def instructions(image: str) -> list[tuple[str, str]]:
    """(word, rest) of each instruction."""
    text = (FOLDER / "images" / f"{image}.Dockerfile").read_text()
    joined = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word, re.sub(r"\s+", " ", rest)) for word, rest in found]


def last_stage(image: str) -> list[tuple[str, str]]:
    """The instructions of what the image becomes."""
    every = instructions(image)
    start = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return every[start:]


def locks_of(image: str) -> list[str]:
    """The locks whose packages the image has."""
    runs = " ".join(rest for word, rest in instructions(image) if word == "RUN")
    return re.findall(r"(?<![/\w])venv/bin/pip install [^&]*-r requirements/([\w-]+)\.lock", runs)


def variables(image: str) -> dict[str, str]:
    """What the image's environment has."""
    rest = " ".join(rest for word, rest in last_stage(image) if word == "ENV")
    return dict(re.findall(r"(\w+)=(\S+)", rest))
