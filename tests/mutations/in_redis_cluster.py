"""Faults of a Redis Cluster: where a key is, what moves, and what is lost with a primary."""

from typing import Final

from tests.mutations.fault import Fault

SLOTS: Final = "features/engines/redis_slots.py"
NODES: Final = "features/engines/redis_nodes.py"
ROUTES: Final = "streaming/redis_sink/write_routes.py"
WRITER: Final = "streaming/redis_sink/redis_writer.py"
READER: Final = "online/redis_client/redis_reader.py"
INSTANCE: Final = "infra/services/redis_instance.py"

FAULTS: Final = (
    Fault(
        "what is written again is measured again",
        "streaming/redis_sink/server_pipe.py",
        "if reply == 1]",
        "]",
        ("test_what_a_restart_writes_again_is_not_measured_again",),
    ),
    Fault(
        "a user that is written again is news",
        "features/store/redis_scripts.py",
        "is_newer = 0 end",
        "is_newer = 1 end",
        ("test_what_a_restart_writes_again_is_not_measured_again",),
    ),
    Fault(
        "a key's slot is not that of what stands in its braces",
        SLOTS,
        "        if end > begin:",
        "        if end < begin:",
        ("test_each_write_goes_to_who_has_its_key", "test_replies_come_in_order_from_a_cluster_and_from_a_server"),
    ),
    Fault(
        "the job sends on to where a slot was",
        ROUTES,
        "            self._slots.move(redirect.slot, redirect.server)\n",
        "",
        ("test_a_slot_that_moved_is_followed",),
    ),
    Fault(
        "a slot counts as moved once a key of it is elsewhere",
        ROUTES,
        "        if redirect.importing:",
        "        if False:",
        ("test_a_slot_that_moves_is_written_on_both_sides",),
    ),
    Fault(
        "a write that was sent elsewhere is lost",
        WRITER,
        "            self._buffer({key: batch.writes[key]})\n",
        "",
        ("test_a_slot_that_moved_is_followed", "test_no_change_of_a_user_is_lost_while_slots_move"),
    ),
    Fault(
        "routes change while writes are on their way",
        WRITER,
        "            self._settle([(batch, replies)])\n",
        "            self._take_apart(batch, replies)\n",
        ("test_no_change_of_a_user_is_lost_while_slots_move",),
    ),
    Fault(
        "what Redis refused is missing under what it took later",
        WRITER,
        "pipe.with_changes_on_their_way(writes)",
        "writes",
        ("test_what_a_server_refused_comes_with_what_it_took_later",),
    ),
    Fault(
        "items of other servers are not announced",
        WRITER,
        "            self._buffer({ITEMS_STREAM: Announcement(batch.items)})\n",
        "",
        ("test_each_write_goes_to_who_has_its_key", "test_an_item_is_announced_once_it_is_there"),
    ),
    Fault(
        "a change that is not announced counts as sent",
        WRITER,
        "    return found | keys.intersection(announcement.keys) if isinstance(announcement, Announcement) else found",
        "    return found if announcement is not None or found else found",
        ("test_a_change_counts_as_unsent_until_it_is_announced",),
    ),
    Fault(
        "a dead primary holds up all writes",
        ROUTES,
        "            if pipe is None or now < pipe.retry_at:",
        "            if pipe is None or any(now < each.retry_at for each in self._pipes.values()):",
        ("test_while_a_primary_is_dead_others_are_written_and_then_its_successor",),
    ),
    Fault(
        "who took over is not asked for",
        ROUTES,
        "        return self._is_stale and now >= self._refresh_at",
        "        return not self._refreshes",
        ("test_while_a_primary_is_dead_others_are_written_and_then_its_successor",),
    ),
    Fault(
        "the API reads on where a slot was",
        READER,
        "            replies = await self._read_at(self._link(moved), commands)\n",
        "            replies = await self._read_at(await self._link_of(0), commands)\n",
        ("test_a_slot_that_moved_is_followed_and_one_that_moves_is_read_on_both_sides",),
    ),
    Fault(
        "the API takes a slot that moves for moved",
        READER,
        "[IMPORT_PREFIX, commands[number]]))[1]",
        "[commands[number]]))[0]",
        ("test_a_slot_that_moved_is_followed_and_one_that_moves_is_read_on_both_sides",),
    ),
    Fault(
        "the API does not learn who took over",
        READER,
        "            self._begin_to_learn()  # another one may have taken over\n",
        "",
        ("test_while_a_primary_is_dead_others_are_read_and_then_its_successor",),
    ),
    Fault(
        "the API goes on with a primary that hangs",
        READER,
        "        except (Unavailable, asyncio.CancelledError):",
        "        except Unavailable:",
        ("test_one_that_hangs_is_left_for_its_successor",),
    ),
    Fault(
        "the mark of a base is read at another server than the user",
        "online/stores/user_store.py",
        "slot_of(key) if self._cluster else 0",
        "0",
        ("test_a_user_is_new_only_where_the_slot_holds_the_base",),
    ),
    Fault(
        "pushes end with the server that is listened to",
        "online/stores/user_updates.py",
        "            self._servers.append(self._servers.pop(0))\n",
        "",
        ("test_updates_come_whichever_server_they_are_published_at_and_after_the_one_listened_to_died",),
    ),
    Fault(
        "commands go on to where a slot was",
        NODES,
        "            self._nodes.slots().move(reply.slot_id, self._nodes.redirected(client, reply))\n",
        "            pass\n",
        ("test_slots_that_moved_and_that_move_are_followed",),
    ),
    Fault(
        "a script is called where it is not loaded",
        NODES,
        "                client.script_load(script)\n",
        "                pass\n",
        ("test_a_script_is_loaded_where_it_is_not",),
    ),
    Fault(
        "commands don't learn who took over",
        NODES,
        "            self._nodes.forget_slots()  # another server may have taken over\n",
        "",
        ("test_after_a_primary_died_its_successor_is_found",),
    ),
    Fault(
        "a replica is believed to have had all of its primary",
        INSTANCE,
        "written is not None and written <= heir.had:",
        "written is not None:",
        (
            "test_a_replica_that_took_over_has_lost_what_it_did_not_have",
            "test_what_a_real_failover_lost_is_known_to_the_note",
        ),
    ),
    Fault(
        "who took whose place is not seen",
        INSTANCE,
        "if each.inherited == history)",
        "if each.history == history)",
        ("test_a_replica_that_took_over_has_lost_what_it_did_not_have",),
    ),
    Fault(
        "a primary that lost all passes for one that holds the base",
        INSTANCE,
        "generations = {generation for _, generation in found}",
        "generations = {generation for _, generation in found if generation is not None}",
        ("test_a_primary_that_was_emptied_holds_no_base",),
    ),
    Fault(
        "what was acknowledged lately is not remembered",
        "streaming/redis_sink/lane_keys.py",
        "for key in before - self.unsent:",
        "for key in ():",
        (
            "test_what_came_between_the_loss_and_the_request_does_not_hide_it",
            "test_a_lane_forgets_what_was_long_ago",
        ),
    ),
    Fault(
        "a job that has just started claims to remember",
        "streaming/redis_sink/repeats.py",
        " if request.since_ms >= self._began_at else None",
        "",
        ("test_a_job_that_started_after_the_loss_began_can_not",),
    ),
    Fault(
        "a whole state does not replace one of the same n",
        "features/store/redis_scripts.py",
        "(tn > n or (tn == n and ARGV[5] ~= 'replace'))",
        "tn >= n",
        ("test_what_came_between_the_loss_and_the_request_does_not_hide_it",),
    ),
    Fault(
        "a writer that does not reply counts as one that has written again",
        "infra/flink/repetition.py",
        "if len(own) == len(replies):",
        "if own:",
        ("test_all_writers_must_have_written_again",),
    ),
    Fault(
        "replies to an earlier request count",
        "infra/flink/repetition.py",
        "if reply is not None and reply.request == self._id]",
        "if reply is not None]",
        ("test_servers_that_are_others_again_are_written_to_anew",),
    ),
    Fault(
        "replicas are not examined at the door",
        "infra/attached/redis_entry.py",
        "    for replica in slots.replicas:",
        "    for replica in slots.replicas[:0]:",
        (
            "test_each_server_is_examined_a_replica_too",
            "test_a_user_that_one_server_does_not_know_is_refused_there",
        ),
    ),
    Fault(
        "slots that nobody serves are well",
        "infra/attached/redis_entry.py",
        "    if slots.missing:",
        "    if slots.missing > 1000:",
        ("test_slots_that_nobody_serves_are_counted",),
    ),
)
