"""Fields by the attributes that a schema declares, checked and given in the schema's order: those of users and of the context of
events and requests; those of items, which have more, in `features.schema.attributes`."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from features.errors import BadInput
from features.schema.attribute_values import Checked, check_value, received
from features.schema.declarations import Attribute, AttributeType

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder()


class Fields:
    """Attributes by name.

    declared  name → attribute, in the schema's order
    """

    def __init__(self, declared: Mapping[str, Attribute]) -> None:
        self.declared = dict(declared)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.declared)

    def check(self, fields: Mapping[str, Any]) -> dict[str, Checked]:
        """The attributes among `fields`, checked; what is empty is left out. Raises BadInput naming the field, what was expected
        and what came, also for a name that the schema does not have."""
        if unknown := [name for name in fields if name not in self.declared]:
            raise BadInput(unknown[0][:60], self.expected_names(), "an attribute that the schema does not have")
        return self._checked(fields)

    def fitting(self, fields: Mapping[str, Any]) -> dict[str, Checked]:
        """The attributes among `fields` that fit, as `check` gives them: what was written under another schema keeps what this
        one understands of it."""
        fitting: dict[str, Checked] = {}
        for name in self.declared:
            with suppress(BadInput):
                fitting |= self._checked({name: fields.get(name)})
        return fitting

    def canonical(self, given: Any, where: str) -> str:
        """The canonical JSON of a JSON object's attributes: those alone, checked, in the schema's order; "" for none. Raises
        BadInput, which names the field behind `where`."""
        if not isinstance(given, dict):
            raise BadInput(where, "an object", received(given))
        try:
            checked = self.check(given)
        except BadInput as error:
            raise BadInput(f"{where}.{error.where}", error.expected, error.received) from error
        return _encoder.encode(checked).decode() if checked else ""

    @staticmethod
    def read(text: str) -> dict[str, Any]:
        """The attributes that canonical JSON says."""
        fields: dict[str, Any] = _decoder.decode(text) if text else {}
        return fields

    def expected_names(self) -> str:
        """The names of all attributes, for a refusal."""
        return "one of " + ", ".join(self.declared) if self.declared else "no attribute: the schema has none"

    def rules(self) -> list[tuple[str, AttributeType, bool]]:
        """Name, type and whether it has many values, of each: what decides which fields are taken."""
        return [(name, each.type, each.many) for name, each in self.declared.items()]

    def _checked(self, fields: Mapping[str, Any]) -> dict[str, Checked]:
        checked = {
            name: check_value(name, attribute, fields[name])
            for name, attribute in self.declared.items()
            if fields.get(name) is not None
        }
        return {name: value for name, value in checked.items() if value != ()}
