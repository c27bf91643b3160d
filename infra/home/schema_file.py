"""The file `schema.toml` of a home: written when the home is made, and never taken silently when it has changed."""

from pathlib import Path

from features.durable import write_whole
from features.errors import BadInput
from features.schema.document import FILE, preset_names
from features.schema.tables import Schema, preset_schema, read_schema
from infra.home.paths import Home

REBUILD = (
    "./martlet rebuild --schema FILE takes another: a new base of the data set, and the whole log folded once more"
)


def schema_of(home: Home) -> Schema:
    """Returns what the home's file says, without one the preset for films. Raises BadInput naming line and field."""
    if not home.schema_file.exists():
        return preset_schema()
    return _read(home.schema_file)


def takes_another(home: Home) -> bool:
    """Whether the home's file says no more than which preset, so that nothing is lost where another takes its place."""
    return not home.schema_file.exists() or home.schema_file.read_bytes() in map(
        str.encode, map(_text_of, preset_names())
    )


def put_schema(home: Home, text: str) -> None:
    """Write the home's file."""
    write_whole(home.schema_file, text.encode())


def check_given(home: Home, given: str, schema: Schema, is_blank: bool) -> None:
    """Raise BadInput if the home's file says something else than a schema that was given. is_blank: whether nothing has been made
    by it yet."""
    if schema.digest != schema_of(home).digest:
        way = "nothing is made by it yet: change that file, or remove it" if is_blank else REBUILD
        raise BadInput("--schema", f"what {home.schema_file} says ({way})", given)


def _text_of(preset: str) -> str:
    return f'preset = "{preset}"\n'


def read_given(given: str) -> tuple[str, Schema]:
    """Returns text and meaning of a schema, given a preset's name or a file. Raises BadInput for what is neither."""
    if given in preset_names():
        text = _text_of(given)
        return text, read_schema(text, FILE)
    path = Path(given)
    if not path.is_file():
        raise BadInput("--schema", f"one of {', '.join(preset_names())}, or a file", given)
    schema = _read(path)
    return path.read_text(encoding="utf-8"), schema


def check_unchanged(home: Home, digest: str, base: int) -> None:
    """Raise BadInput if the home's file means something else than what base number `base` was folded by."""
    if schema_of(home).digest != digest:
        raise BadInput(
            str(home.schema_file), f"what base {base} was folded by ({REBUILD})", "another meaning of events"
        )


def _read(path: Path) -> Schema:
    try:
        schema = read_schema(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(path), "a text file", str(error)) from error
    if schema.document.salt:
        raise BadInput(f"{path}, salt", "no salt: each home draws its own", schema.document.salt)
    return schema
