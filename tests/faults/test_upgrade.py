"""Changed code in a running job (row 14). The last file of its folder: after it the home has features that no other code
gives."""

import shutil

import pytest

from tests.home import Martlet, until

pytestmark = pytest.mark.broken


@pytest.mark.soak
def test_an_upgrade_takes_changed_code_into_the_job(broken: Martlet) -> None:
    """Row 14: TaskManagers keep Python's modules, so a changed constant shows only in new ones."""
    user, code = 760_001, broken.repo / "features" / "fold" / "state.py"
    for item in range(1, 51):
        broken.post({"type": "like", "user_id": user, "item_id": item})
    text = code.read_text()
    assert "SEQUENCE: Final = 50" in text
    code.write_text(text.replace("SEQUENCE: Final = 50", "SEQUENCE: Final = 60"))
    shutil.rmtree(code.parent / "__pycache__", ignore_errors=True)
    done = broken.command("upgrade", within=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "savepoint-" in broken.status()["job_from"]
    token = broken.post({"type": "like", "user_id": user, "item_id": 51}).json()["seen"]
    until(lambda: broken.recommend(user, seen=token)["freshness"]["seen_applied"], 30, "the like is applied")
    known = broken.user(user)
    assert known["counts"]["like"] == 51
    assert len(known["sequence"]) == 51
