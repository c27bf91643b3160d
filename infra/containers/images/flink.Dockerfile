# Flink's JobManager and TaskManagers: Flink's own distribution and Java, the Python that the job runs in, and its jars.
FROM flink:2.3.0-java21 AS flink

FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /opt/martlet
COPY requirements/home.lock requirements/job.lock requirements/
RUN python -m venv venv \
    && venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/job.lock \
    && python -m venv /build \
    && /build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/home.lock
COPY . .
COPY --from=flink /opt/flink /opt/flink
RUN PYTHONPATH=/opt/martlet PYTHONSAFEPATH=1 /build/bin/python -m infra jars /opt/flink/lib --plugins /opt/flink/plugins

FROM python:3.11.14-slim-bookworm
# What Flink's entry point uses, which Kubernetes' operator calls.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gettext-base libjemalloc-dev \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 9999 flink \
    && useradd --uid 9999 --gid 9999 --no-create-home --home-dir /tmp flink \
    && install --directory --owner flink --group flink /var/lib/martlet
COPY --from=flink /opt/java/openjdk /opt/java/openjdk
COPY --from=flink /docker-entrypoint.sh /docker-entrypoint.sh
COPY --from=packages /opt/flink /opt/flink
WORKDIR /opt/martlet
COPY --from=packages /opt/martlet/venv venv
COPY . .
COPY infra/containers/flink/ /opt/flink/conf/
RUN venv/bin/python -m compileall -q features infra models offline online streaming
ENV HOME=/tmp JAVA_HOME=/opt/java/openjdk FLINK_HOME=/opt/flink FLINK_LOG_DIR=/tmp FLINK_PID_DIR=/tmp \
    PATH=/opt/flink/bin:/opt/java/openjdk/bin:/opt/martlet/venv/bin:$PATH \
    PYTHONPATH=/opt/martlet:/opt/martlet/venv/lib/python3.11/site-packages PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1
USER 9999:9999
EXPOSE 6123 8081
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
