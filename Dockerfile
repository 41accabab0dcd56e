# The worker. `docker build -t propensity .`
FROM python:3.11-slim AS packages
RUN python -m venv /opt/venv
COPY requirements.lock /
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
    --require-hashes --requirement /requirements.lock

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/propensity --create-home propensity \
    && install --directory --owner propensity /var/lib/propensity/state
COPY --from=packages /opt/venv /opt/venv
COPY schemas /opt/propensity/schemas
COPY models /opt/propensity/models
COPY consumer /opt/propensity/consumer
# The code stays read-only, and so may the whole file system: what is written is the state, the
# cache and /tmp. Loops are compiled here, for any processor with AVX2, and a container takes its
# copy along; where it may keep nothing it compiles again, which takes a minute.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/propensity \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=x86-64-v3 \
    XDG_CACHE_HOME=/var/lib/propensity/cache
COPY ops/container/start.sh /opt/propensity/start.sh
USER propensity
WORKDIR /var/lib/propensity
RUN XDG_CACHE_HOME=/var/lib/propensity/compiled python -m consumer demo --seconds 5
EXPOSE 8080
ENTRYPOINT ["sh", "/opt/propensity/start.sh"]
CMD ["run"]
