"""Serving policy and experiments: how lists are made and which variants are compared, from `serving.json` in the home.

{"policy": {"diversity": 0.2, "hide": {"genres": ["Horror"]}}, "ranking": "in-process",
 "experiments": [{"name": "ranker", "layer": "rank", "arms": {"wide": {"share": 0.5, "policy": {"model": "widedeep"}}}}]}

A user is in one arm of each layer, by a hash of layer and user: the same in every process and after every restart. Users
of no arm are in `control`, which is the unchanged policy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from features.contracts.events import Id, Name
from features.errors import BadInput
from features.ids import OuterId, canonical
from features.types import UserId
from features.units import DAY_S

CONTROL: Final = "control"
MODEL_SERVER: Final = "model-server"
IN_PROCESS: Final = "in-process"
RANKING: Final = (MODEL_SERVER, IN_PROCESS)
"""Where models rank: behind TensorFlow Serving's protocol, or in the API's own process."""
MAX_POSITIVES: Final = 5_000
"""Likes of one slice at most, which bound its memory; where a learner is behind, it takes up to so many at once."""
MAX_RULED: Final = 30
"""Pinned or buried items at most: few enough that every pinned one stays among the candidates."""
Share = Annotated[float, Meta(ge=0, le=1)]
_Ruled = Annotated[tuple[Id, ...], Meta(max_length=MAX_RULED)]


class Hide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items that neither a list shows nor what is similar nor a page of the catalogue: by value of a facet (`genres`: labels), or
    by year before or after a limit (items of unknown year stay)."""

    genres: tuple[str, ...] = ()
    facets: dict[str, tuple[str, ...]] = {}
    before: int | None = None
    after: int | None = None

    def by_facet(self, first: str | None) -> dict[str, tuple[str, ...]]:
        """Facet → values that hide an item, where `first` is the one whose values are labels."""
        found = {name: values for name, values in self.facets.items() if values}
        if first is not None and self.genres:
            found[first] = (*found.get(first, ()), *self.genres)
        return found


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How lists are made.

    model       the model that ranks where a request names none; None is the API's default
    blend       weights of other models: the models' ranks are averaged, with weight 1 for `model`
    interleave  two models whose lists are interleaved by team draft, instead of `model`; empty is none
    channels    quota of candidates per recall channel; 0 turns it off
    diversity   from 0, by score alone, to 1, by dissimilarity to the items above alone (maximal marginal relevance)
    newcomers   probability that the last position goes to a recalled item that is new in the catalogue, drawn uniformly
    explore     probability that the last position goes to a candidate not shown, drawn uniformly
    pin, bury   items moved to the top, in this order, and to the end; not if the user has seen them or they are hidden
    hide        items that are never shown
    """

    model: Name | None = None
    blend: dict[Name, Annotated[float, Meta(gt=0)]] = {}
    interleave: Annotated[tuple[Name, ...], Meta(max_length=2)] = ()
    channels: dict[Name, Annotated[int, Meta(ge=0)]] = {}
    diversity: Share = 0.0
    newcomers: Share = 0.1
    explore: Share = 0.0
    pin: _Ruled = ()
    bury: _Ruled = ()
    hide: Hide = Hide()


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An arm of an experiment. share: of the layer's users; policy: the fields of `Policy` that it changes."""

    share: Share
    policy: dict[str, Any] = {}


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An experiment with arms by name, in a layer of its own."""

    name: Name
    layer: Name
    arms: Annotated[dict[Name, Arm], Meta(min_length=1)]


class Judging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How versions of a model are compared while they serve.

    shadow     share of lists beside which a new candidate ranks, unseen
    trial      share of lists in which the stable version and a candidate are interleaved; the same with the version before and
               the yardstick, each, until the stable one is proved
    holdback   share of lists in which a proved version is interleaved with the version before, or the yardstick, for good
    window_s   seconds after which a list is counted with what was liked of it until then
    """

    shadow: Annotated[float, Meta(ge=0, le=1)] = 0.1
    trial: Annotated[float, Meta(gt=0, le=0.3)] = 0.2
    holdback: Annotated[float, Meta(gt=0, le=0.3)] = 0.02
    window_s: Annotated[float, Meta(ge=1, le=1800)] = 600.0


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model learns from the lists that it shows.

    model      the model that learns; None: the one that ranks where none is named
    slice_s    seconds after which a slice of what was shown ends …
    positives  … unless so many likes end it earlier
    publish_s  seconds between two candidates at the least
    anew_hour  hour of the day, UTC, at which all is made anew from the log; None: never
    """

    model: Name | None = None
    slice_s: Annotated[float, Meta(ge=1, le=DAY_S)] = 300.0
    positives: Annotated[int, Meta(ge=8, le=MAX_POSITIVES)] = 500
    publish_s: Annotated[float, Meta(ge=1, le=30 * DAY_S)] = 3600.0
    anew_hour: Annotated[int, Meta(ge=0, le=23)] | None = 3


class ServingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written: policy: the fields of `Policy` that are not the default; ranking: one of RANKING; judge: None:
    versions are not judged; learn: None: nothing learns by itself; use `read_serving`."""

    policy: dict[str, Any] = {}
    ranking: str = MODEL_SERVER
    judge: Judging | None = None
    learn: Learning | None = None
    experiments: Annotated[tuple[Experiment, ...], Meta(max_length=20)] = ()


@dataclass(frozen=True)
class Chosen:
    """The policy of one user. arms: experiment → arm; plain: the policy without any arm."""

    policy: Policy
    arms: Mapping[str, str]
    plain: Policy


class Serving:
    """Contents of `serving.json`. Use `read_serving`. in_process: whether models rank in the API's process; judging: None:
    versions are not judged; learning: None: nothing learns by itself."""

    def __init__(
        self,
        policy: dict[str, Any],
        experiments: tuple[Experiment, ...],
        ranking: str = MODEL_SERVER,
        judging: Judging | None = None,
        learning: Learning | None = None,
    ) -> None:
        self.experiments = experiments
        self.judging = judging
        self.learning = learning
        self.in_process = ranking == IN_PROCESS
        self._policy = policy
        self.made = lru_cache(maxsize=1024)(self._made)

    def choose_arms(self, user_id: UserId) -> Chosen:
        """The user's arms and the resulting policy."""
        arms = {each.name: arm_of(each, user_id) for each in self.experiments}
        return Chosen(self.made(tuple(arms.items())), arms, self.control)

    @property
    def control(self) -> Policy:
        """The policy of who is in no arm, and of what is shown to nobody in particular."""
        return self.made(tuple((each.name, CONTROL) for each in self.experiments))

    @property
    def policies(self) -> dict[str, Policy]:
        """Where a policy stands in the file → the policy: that of those in no arm, and of each arm as if it were the only one."""
        found = {"policy": self.control}
        for experiment in self.experiments:
            for name, arm in experiment.arms.items():
                found[f"experiment {experiment.name}, arm {name}"] = msgspec.convert(self._policy | arm.policy, Policy)
        return found

    def _made(self, arms: tuple[tuple[str, str], ...]) -> Policy:
        fields = dict(self._policy)
        for experiment, (_, name) in zip(self.experiments, arms, strict=True):
            if name != CONTROL:
                fields |= experiment.arms[name].policy
        return msgspec.convert(fields, Policy)


def bucket_of(layer: str, user_id: UserId) -> float:
    """Hash bucket of a user in a layer, in [0, 1): uniform, and independent between layers."""
    digest = blake2b(f"{layer}:{user_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def arm_of(experiment: Experiment, user_id: UserId) -> str:
    """Name of the user's arm; CONTROL if no arm takes the user."""
    left = bucket_of(experiment.layer, user_id)
    for name, arm in experiment.arms.items():
        left -= arm.share
        if left < 0:
            return name
    return CONTROL


NO_SERVING: Final = Serving({}, ())


def read_serving(content: bytes) -> Serving:
    """Raises msgspec.ValidationError or BadInput, naming what is wrong and where."""
    file = msgspec.json.decode(content, type=ServingFile)
    _policy(file.policy, "policy")
    if file.ranking not in RANKING:
        raise BadInput("ranking", " or ".join(RANKING), repr(file.ranking))
    taken: dict[str, str] = {}
    for experiment in file.experiments:
        where = f"experiment {experiment.name}"
        if experiment.layer in taken:
            raise BadInput(where, f"a layer of its own ({taken[experiment.layer]} has it)", experiment.layer)
        taken[experiment.layer] = experiment.name
        if (total := sum(arm.share for arm in experiment.arms.values())) > 1 + 1e-9:
            raise BadInput(where, "shares of at most 1 together", f"{total:g}")
        if CONTROL in experiment.arms:
            raise BadInput(where, f"arms with names other than {CONTROL}", CONTROL)
        for name, arm in experiment.arms.items():
            _policy(file.policy | arm.policy, f"{where}, arm {name}")
    for one, other in combinations(file.experiments, 2):
        both = _fields(one) & _fields(other)
        if both or one.name == other.name:
            overlap = ", ".join(sorted(both)) or one.name
            raise BadInput(
                "experiments", "names and changed fields of their own", f"{one.name}, {other.name}: {overlap}"
            )
    if file.learn is not None and file.judge is None:
        raise BadInput("learn", 'a "judge" with it, which proves what has learned before it ranks', "no judge")
    return Serving(file.policy, file.experiments, file.ranking, file.judge, file.learn)


def _fields(experiment: Experiment) -> set[str]:
    return {field for arm in experiment.arms.values() for field in arm.policy}


def _policy(fields: dict[str, Any], where: str) -> Policy:
    try:
        policy = msgspec.convert(fields, Policy)
    except msgspec.ValidationError as error:
        raise BadInput(where, "fields of a policy", str(error)) from error
    if len(policy.interleave) == 1 or len(set(policy.interleave)) < len(policy.interleave):
        raise BadInput(f"{where}, interleave", "two models", ", ".join(policy.interleave))
    pinned, buried = (_ruled(ids, f"{where}, {name}") for name, ids in (("pin", policy.pin), ("bury", policy.bury)))
    if both := pinned & buried:
        raise BadInput(f"{where}, pin", "items that are not buried", ", ".join(sorted(map(str, both))))
    if policy.channels:
        _require_channels(policy.channels, f"{where}, channels")
    return policy


def _require_channels(names: Iterable[str], where: str) -> None:
    from online.recall import CHANNELS  # all of recall, for a file that hardly ever names a channel

    known = [channel.name for channel in CHANNELS]
    if strange := set(names).difference(known):
        raise BadInput(where, f"names out of {', '.join(known)}", ", ".join(sorted(strange)))


def _ruled(ids: tuple[OuterId, ...], where: str) -> set[OuterId]:
    """The one form of each id. Raises BadInput for what is no id, and for an item that is named twice."""
    try:
        found = set(map(canonical, ids))
    except BadInput as error:
        raise BadInput(where, error.expected, error.received) from error
    if len(found) < len(ids):
        raise BadInput(where, "each item once", ", ".join(map(str, ids)))
    return found
