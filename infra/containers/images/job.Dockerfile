# The keeper of the job: `./martlet job`, which submits it to a Flink cluster. Jars, checked by digest, and Java are in it.
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /opt/martlet
COPY requirements/home.lock requirements/job.lock requirements/
RUN python -m venv venv \
    && venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/home.lock \
    && venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/job.lock
COPY . .
RUN mkdir /jars && PYTHONPATH=/opt/martlet PYTHONSAFEPATH=1 venv/bin/python -m infra jars /jars

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 9999 martlet \
    && useradd --uid 9999 --gid 9999 --no-create-home --home-dir /tmp martlet \
    && install --directory --owner martlet --group martlet /var/lib/martlet
WORKDIR /opt/martlet
COPY --from=packages /opt/martlet/venv venv
COPY . .
RUN venv/bin/python -m compileall -q features infra models offline online streaming
ENV HOME=/tmp PATH=/opt/martlet/venv/bin:$PATH PYTHONPATH=/opt/martlet PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 9999:9999
ENTRYPOINT ["/opt/martlet/venv/bin/python", "-m", "infra"]
CMD ["job", "--home", "/var/lib/martlet"]
