"""The job's two operators without Flink, for tests: state outlives them, a checkpoint is a copy, a crash is a call, and time
moves when a test moves it.

    time_source = ManualTime(wall_ms)
    server = UnsteadyRedis(time_source)          # the way to a real Redis, which can be away
    job = JobRun(settings, time_source, server)
    job.feed(records)                            # a batch of one partition number, as the job's SQL packs it
    job.checkpoint()                             # states and timers as they are now
    job.crash()                                  # operators, and what they had not sent, are gone; goes on from there
    job.advance(1.0)                             # a second passes, timers fire
"""
