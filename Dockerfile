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
# Compiled loops are kept where this user may write; the code itself stays read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/propensity \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/var/lib/propensity/cache
USER propensity
WORKDIR /var/lib/propensity
EXPOSE 8080
ENTRYPOINT ["python", "-m", "consumer"]
CMD ["run"]
