"""When a version is tried, promoted, dropped or rolled back: a pure function of labels, versions on disk and evidence.

Each question is answered by the anytime-valid test of `features.statistics.betting` at 5 %, so that it may be asked after every
list: a candidate is *promoted* where it is better than the stable version, or, being fresher, not worse by MARGIN; it is
*dropped* where it is worse. The stable version is *rolled back* where the version before, or the yardstick, is better.

Of each user ten lists count, so the users of a small home may have said all that they can before anything is decided: then the
candidate makes room for the next one, as one that was not proved.
"""

from collections.abc import Sequence
from typing import Final

from features.contracts.scores import YARDSTICK
from features.statistics.betting import ALPHA, e_value
from features.statistics.interleaving import Interleaving
from features.units import DAY_MS
from infra.judging.outcomes import Evidence
from models.registry import Labels

ENOUGH: Final = 1 / ALPHA
"""The e-value that decides."""
MARGIN: Final = 0.1
"""How much worse a fresher version may be: the mean, over lists that count, of (won - lost). A tenth is 45 % of them won."""
EXHAUSTED: Final = 50
"""Lists in a row that did not count, as their users have had their ten: what is undecided then stays so."""
TRIAL_MS: Final = 30 * DAY_MS
"""How long these have to be of many users: then one who is left will do. Where no list has counted for so long, none is waited
for."""
SHADOW_LISTS: Final = 100
"""Lists beside which a candidate ranks before it is shown."""
SHADOW_MS: Final = 30 * DAY_MS
"""How long a candidate may take to rank beside that many, before a newer one takes its place."""
SHADOW_PROBLEMS: Final = 0.05
"""The share of them in which it may fail."""
SHADOW_MARGIN: Final = 0.3
"""A candidate that ranks what was liked worse by so much NDCG@10 is not shown: what is liked is among what the stable version has
shown, so some of it is due to that."""


def decide(name: str, labels: Labels, versions: Sequence[int], evidence: Evidence, now: int) -> Labels:
    """The labels after at most one decision; the same where nothing is decided. versions: those that can rank, ascending; now:
    wall time, ms. The stable version must be labelled."""
    assert labels.stable is not None
    for rule in (_rolled_back, _tried, _proved, _nominated):
        after = rule(name, labels, versions, evidence, now)
        if after is not None:
            return after
    return labels


def _rolled_back(name: str, labels: Labels, versions: Sequence[int], evidence: Evidence, now: int) -> Labels | None:
    """The stable version gives way to the one before where that is better; or where the yardstick is, unless it is itself better
    than the one before: that would be worse still."""
    stable = labels.stable
    assert stable is not None
    older = labels.last_good
    if older not in versions:
        older = next((each for each in reversed(versions) if each < stable and each not in labels.lost), None)
    if older is None:
        return None
    is_better = _e(evidence.of(name, stable, _named(name, older)), 1) >= ENOUGH
    for opponent in (_named(name, older), *([] if is_better else [YARDSTICK])):
        found = evidence.of(name, stable, opponent)
        if (e := _e(found, -1)) >= ENOUGH:
            reason = _reason(found, name, stable, opponent, e)
            text = f"{older} ranks in place of {stable}, rolled back, {opponent} is better: {reason}"
            return labels.promoted(now, text, older).dropped(stable)
    return None


def _tried(name: str, labels: Labels, versions: Sequence[int], evidence: Evidence, now: int) -> Labels | None:
    """The candidate goes on from shadow to trial, is promoted or dropped."""
    stable, candidate = labels.stable, labels.candidate
    assert stable is not None
    if candidate is None:
        return None
    if candidate not in versions:
        return labels.without(now, f"{candidate} is no candidate any more: it is not on disk, or can't rank", candidate)
    if labels.phase == "shadow":
        return _shadowed(name, labels, candidate, evidence, now)
    opponent = _named(name, candidate)
    found = evidence.of(name, stable, opponent)
    if (e := _e(found, -1)) >= ENOUGH:
        reason = _reason(found, name, stable, opponent, e)
        return labels.promoted(now, f"{candidate} ranks in place of {stable}, better: {reason}", candidate)
    # An older one, on trial while a newer one was promoted by hand, has to be better.
    if candidate > stable and (e := _e(found, -1, -MARGIN)) >= ENOUGH:
        fresher = f"fresher and wins no less than {(1 - MARGIN) / 2:.0%} of lists"
        reason = _reason(found, name, stable, opponent, e)
        return labels.promoted(now, f"{candidate} ranks in place of {stable}, {fresher}: {reason}", candidate)
    if (e := _e(found, 1)) >= ENOUGH:
        reason = _reason(found, name, stable, opponent, e)
        return labels.without(now, f"{candidate} is dropped, worse than {stable}: {reason}", candidate)
    if over := _over(found, labels, now):
        reason = _reason(found, name, stable, opponent, max(_e(found, side) for side in (-1, 1)))
        text = f"{candidate} is dropped, undecided against {stable}: {over}, {reason}"
        return labels.without(now, text, candidate)
    return None


def _shadowed(name: str, labels: Labels, candidate: int, evidence: Evidence, now: int) -> Labels | None:
    shadow = evidence.shadows.get((name, candidate))
    if shadow is None:
        return None
    counts, sums = shadow.differences.arrays()
    if len(counts) and e_value(counts, -sums, SHADOW_MARGIN) >= ENOUGH:
        mean = sums.sum() / counts.sum()
        text = f"NDCG@10 of what was liked {mean:+.3f} in {int(counts.sum())} lists, of {len(counts)} users"
        return labels.without(now, f"{candidate} is dropped before it was shown: {text}", candidate)
    if shadow.lists < SHADOW_LISTS:
        return None
    if shadow.problems > SHADOW_PROBLEMS * shadow.lists:
        text = f"no ranks beside {shadow.problems} of {shadow.lists} lists"
        return labels.without(now, f"{candidate} is dropped before it was shown: {text}", candidate)
    text = f"{candidate} is on trial against {labels.stable}: it ranked beside {shadow.lists} lists"
    return labels.decided(now, text, phase="trial")


def _proved(name: str, labels: Labels, versions: Sequence[int], evidence: Evidence, now: int) -> Labels | None:
    """A version that was promoted is held to the one before in fewer lists, once it is not worse; to none where that is gone."""
    if labels.proved or labels.stable is None:
        return None
    if labels.last_good is None or labels.last_good not in versions:
        text = f"{labels.stable} is held to no version: the one that ranked before is gone, or can't rank"
        return labels.decided(now, text, proved=True, last_good=None)
    opponent = _named(name, labels.last_good)
    found = evidence.of(name, labels.stable, opponent)
    e = _e(found, 1, -MARGIN)
    reason = _reason(found, name, labels.stable, opponent, e)
    if e >= ENOUGH:
        return labels.decided(now, f"{labels.stable} is proved against {labels.last_good}: {reason}", proved=True)
    if over := _over(found, labels, now):
        text = f"{labels.stable} stays, undecided against {labels.last_good}: {over}, {reason}"
        return labels.decided(now, text, proved=True)
    return None


def _nominated(name: str, labels: Labels, versions: Sequence[int], evidence: Evidence, now: int) -> Labels | None:
    """The newest version becomes the candidate, where none is on trial or on its way there and the stable one is proved."""
    stable, candidate = labels.stable, labels.candidate
    assert stable is not None
    if not labels.proved or (candidate is not None and _is_tried(name, labels, candidate, evidence, now)):
        return None
    newer = [each for each in versions if each > max(stable, candidate or 0) and each not in labels.lost]
    if not newer:
        return None
    text = f"{newer[-1]} is a candidate: it ranks beside lists of {stable}, unseen"
    return labels.decided(now, text, candidate=newer[-1], phase="shadow")


def _is_tried(name: str, labels: Labels, candidate: int, evidence: Evidence, now: int) -> bool:
    """Whether the candidate is on trial, or ranks beside lists: in a home of few lists each night has a newer one, and none would
    ever come to its hundred."""
    if labels.phase == "trial":
        return True
    shadow = evidence.shadows.get((name, candidate))
    since = labels.decisions[-1].ts if labels.decisions else now
    return shadow is not None and shadow.problems < shadow.lists and now - since < SHADOW_MS


def _named(name: str, version: int) -> str:
    return f"{name}:{version}"


def _over(found: Interleaving, labels: Labels, now: int) -> str:
    """Why no verdict is to be expected, "" while one is: of the users of before many may have left, who then can't say so."""
    differences, since = found.differences, labels.decisions[-1].ts if labels.decisions else now
    is_old = now - since >= TRIAL_MS
    if is_old and not differences.counts:
        return f"no list has counted in {TRIAL_MS // DAY_MS} days"
    used_up = is_old and sum(differences.in_vain.values()) >= EXHAUSTED
    return "no user has lists left that count" if used_up or differences.is_exhausted(EXHAUSTED) else ""


def _e(found: Interleaving, side: int, mean: float = 0.0) -> float:
    """The e-value that the stable version (side 1) or its opponent (-1) is better than `mean` against the other one."""
    counts, sums = found.differences.arrays()
    return e_value(counts, side * sums, mean) if len(counts) else 1.0


def _reason(found: Interleaving, name: str, stable: int, opponent: str, e: float) -> str:
    """The evidence in words. e: the e-value that decided."""
    return f"E = {e:.3g}; {found.verdict(_named(name, stable), opponent).figures}"
