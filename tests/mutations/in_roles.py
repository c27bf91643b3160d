"""Faults of roles that run alone, and of the files that start them."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "down ends the job of another container",
        "infra/detached.py",
        "        if process is None:\n            raise",
        "        if process is None:\n            return None\n            raise",
        ("test_down_leaves_what_another_container_runs",),
    ),
    Fault(
        "down takes whoever has the pid of a holder elsewhere for it",
        "infra/system/pid_lock.py",
        "return process if str(path.resolve()) in {each.path for each in process.open_files()} else None",
        "return process if process.open_files() is not None else None",
        ("test_down_leaves_who_only_has_the_pid_of_a_holder_elsewhere",),
    ),
    Fault(
        "down says that nothing runs while up begins",
        "infra/detached.py",
        "    while is_run(home):\n",
        "    while False:\n",
        ("test_down_stops_one_that_has_just_begun",),
    ),
    Fault(
        "a job whose start is broken off runs on in an attached cluster",
        "infra/stack.py",
        "        if keeper is None and self._has",
        "        if keeper is not None and self._has",
        ("test_a_job_whose_start_is_broken_off_is_ended",),
    ),
    Fault(
        "down leaves a job that nobody keeps",
        "infra/detached.py",
        "        return end_leftover_job(home, steps.print_line)\n",
        "        return False\n",
        ("test_down_ends_a_job_that_nobody_keeps_where_nothing_else_runs",),
    ),
    Fault(
        "a home that another container runs counts as dead",
        "infra/home/running.py",
        "    if not is_run(home):",
        "    if home.path:",
        ("test_a_home_that_another_container_runs_is_known_by_its_lock",),
    ),
    Fault(
        "a watch alone passes for a home that runs",
        "infra/home/running.py",
        "    if not is_run(home):",
        "    if not is_run(home) and not home.watch_file.exists():",
        ("test_a_watch_alone_does_not_pass_for_a_home_that_runs",),
    ),
    Fault(
        "two processes watch over a home",
        "infra/home/home_lock.py",
        'home.run / "watch.lock", "a home in which no up or watch',
        'home.run / f"watch-{len([*home.run.iterdir()])}.lock", "a home in which no up or watch',
        ("test_one_process_runs_a_home_and_another_may_watch_over_it",),
    ),
    Fault(
        "a supervisor that hangs counts as well",
        "infra/roles/health_check.py",
        "    if age > OUTDATED:",
        "    if age > 10 * OUTDATED:",
        ("test_a_status_is_well_when_it_is_up_and_of_now",),
    ),
    Fault(
        "what is away looks like what is wrong",
        "infra/cli/role_commands.py",
        "AWAY if isinstance(error, Unavailable) else WRONG",
        "WRONG",
        ("test_an_engine_that_does_not_answer_is_worth_another_try",),
    ),
    Fault(
        "the watch goes on by a generation that has gone",
        "infra/roles/watch_role.py",
        "!= (record.generation, record.base_number)",
        "!= (now.generation, now.base_number)",
        ("test_another_generation_is_watched_by_other_figures",),
    ),
    Fault(
        "compose names a port that nobody listens on",
        "infra/containers/compose.yaml",
        "MARTLET_WATCH_ADDRESS: http://watch:9464",
        "MARTLET_WATCH_ADDRESS: http://watch:9465",
        ("test_an_address_is_a_service_and_its_port",),
    ),
    Fault(
        "compose ends the TaskManagers before the keeper has its savepoint",
        "infra/containers/compose.yaml",
        "      taskmanager: {condition: service_started}",
        "      #",
        ("test_all_that_a_savepoint_needs_is_stopped_after_the_keeper_that_takes_it",),
    ),
    Fault(
        "the manifests give Java more than the container has",
        "infra/containers/kubernetes/base/flink.yaml",
        "resource: {cpu: 1, memory: 1984m}",
        "resource: {cpu: 1, memory: 1152m}",
        ("test_flinks_processes_are_configured_as_those_of_up_and_have_room_for_python",),
    ),
    Fault(
        "the step that makes a home in Kubernetes has no settings",
        "infra/containers/kubernetes/offline/learn-first.yaml",
        "[features, --home, /var/lib/martlet]\n          envFrom: [{configMapRef: {name: martlet-settings}}, ",
        "[features, --home, /var/lib/martlet]\n          envFrom: [",
        ("test_offline_steps_are_commands_of_the_offline_image",),
    ),
    Fault(
        "a role in Kubernetes is given variables of services, which it refuses",
        "infra/containers/kubernetes/base/watch.yaml",
        "      enableServiceLinks: false\n",
        "",
        ("test_each_pod_is_confined",),
    ),
    Fault(
        "Flink's pods in Kubernetes have no way to Kafka and Redis",
        "infra/containers/kubernetes/base/flink.yaml",
        "    metadata: {labels: {app.kubernetes.io/part-of: martlet}}",
        "    metadata: {labels: {}}",
        ("test_one_policy_opens_the_ways_to_the_engines_for_ours_and_for_flink",),
    ),
)
