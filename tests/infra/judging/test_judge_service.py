"""The judge runs while `serving.json` says so, and labels go once it has not for a while."""

from pathlib import Path

import pytest

from infra.home.paths import Home
from infra.judging.judge_service import NAME, POLLS_TO_RELEASE, Judges, is_judged
from infra.services.supervisor import Supervisor
from models.registry import change_labels, read_labels
from tests.models.fake_version import publish_one

pytestmark = pytest.mark.services


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path).make()
    publish_one(made.models)
    change_labels(made.models, "toy", lambda found: found.decided(1, "begun", stable=1))
    return made


def stable(home: Home) -> int | None:
    labels = read_labels(home.models, "toy")
    return None if labels is None else labels.stable


def test_it_runs_once_an_api_is_there_and_labels_go_after_several_polls_without(
    home: Home, supervisor: Supervisor
) -> None:
    serving, addresses = home.path / "serving.json", list[str]()
    judges = Judges(home, lambda: addresses, supervisor)
    serving.write_text('{"judge": {}}')
    assert is_judged(home)
    judges.poll()
    assert not supervisor.runs(NAME), "there is no API yet whom it could ask"
    addresses.append("http://127.0.0.1:9")
    judges.poll()
    assert supervisor.runs(NAME)
    serving.unlink()
    for _ in range(POLLS_TO_RELEASE - 1):
        judges.poll()
    assert (supervisor.runs(NAME), stable(home)) == (True, 1)
    serving.write_text('{"judge": {}}')
    judges.poll()
    serving.unlink()
    for _ in range(POLLS_TO_RELEASE):
        assert (supervisor.runs(NAME), stable(home)) == (True, 1)
        judges.poll()
    assert (supervisor.runs(NAME), stable(home)) == (False, None)
    assert not is_judged(home)


def test_a_file_that_can_not_be_read_releases_nothing(home: Home, supervisor: Supervisor) -> None:
    """Not even in a home that judged before it was started again."""
    (home.path / "serving.json").write_text('{"judge": {}}')
    Judges(home, list, supervisor).poll()
    (home.path / "serving.json").write_text('{"judge": {}')
    judges = Judges(home, list, supervisor)
    for _ in range(2 * POLLS_TO_RELEASE):
        judges.poll()
    assert stable(home) == 1


def test_a_home_that_never_judged_leaves_the_labels_of_one_that_does(home: Home, supervisor: Supervisor) -> None:
    """They come by the model store, where one copy of a home trains and judges and another one serves."""
    judges = Judges(home, list, supervisor)
    for _ in range(2 * POLLS_TO_RELEASE):
        judges.poll()
    assert stable(home) == 1
    (home.path / "serving.json").write_text('{"judge": {}}')
    judges.poll()
    (home.path / "serving.json").unlink()
    for _ in range(POLLS_TO_RELEASE):
        judges.poll()
    assert stable(home) is None
    change_labels(home.models, "toy", lambda found: found.decided(2, "read from the store", stable=1))
    for _ in range(2 * POLLS_TO_RELEASE):
        Judges(home, list, supervisor).poll()
    assert stable(home) == 1
