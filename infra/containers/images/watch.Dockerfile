# The watch: `./martlet watch`, and the judge that it starts.
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /opt/martlet
COPY requirements/watch.lock requirements/
RUN python -m venv venv && venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/watch.lock

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
EXPOSE 9464
ENTRYPOINT ["/opt/martlet/venv/bin/python", "-m", "infra"]
CMD ["watch", "--home", "/var/lib/martlet"]
