"""Which versions of a model should be loaded: pure functions of a folder's children, a policy, and what is loaded."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

MAX_VERSION = 2**63 - 1


@dataclass(frozen=True)
class Latest:
    """The ``count`` largest versions."""

    count: int = 1


@dataclass(frozen=True)
class All:
    """Every version there is."""


@dataclass(frozen=True)
class Specific:
    """These versions, where they exist."""

    versions: frozenset[int]


@dataclass(frozen=True)
class Besides:
    """What ``policy`` wants, and these versions, where they exist."""

    policy: "Policy"
    versions: frozenset[int]


Policy = Latest | All | Specific | Besides


def versions_in(children: Iterable[str]) -> dict[int, str]:
    """Version to folder name, for names that are whole numbers; 001 is 1. Of two names for one the last counts."""
    found = {}
    for child in sorted(children):
        if child.isascii() and child.isdigit() and int(child) <= MAX_VERSION:
            found[int(child)] = child
    return found


def wanted(present: Mapping[int, str], policy: Policy) -> dict[int, str]:
    """The part of ``present`` that ``policy`` wants."""
    if isinstance(policy, Latest):
        chosen: Collection[int] = sorted(present, reverse=True)[: policy.count]
    elif isinstance(policy, Specific):
        chosen = policy.versions & present.keys()
    elif isinstance(policy, Besides):
        chosen = wanted(present, policy.policy).keys() | policy.versions & present.keys()
    else:
        chosen = present
    return {version: present[version] for version in chosen}


def named(policy: Policy) -> frozenset[int]:
    """The versions that ``policy`` wants whatever others there are."""
    if isinstance(policy, Besides):
        return named(policy.policy) | policy.versions
    return policy.versions if isinstance(policy, Specific) else frozenset()


def to_unload(loaded: Collection[int], aspired: Collection[int]) -> list[int]:
    """The loaded versions that may go, smallest first, so that availability is never given up for a version not there.

    Versions that are not wanted go once a wanted one is loaded, or none at all is wanted; until then the largest of them
    stays.
    """
    surplus = sorted(set(loaded) - set(aspired))
    if not aspired or set(loaded) & set(aspired):
        return surplus
    return surplus[:-1]
