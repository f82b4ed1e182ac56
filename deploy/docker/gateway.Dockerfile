# The gateway: players' WebSockets, the page, health and metrics. No JAX. Build from the repository's root:
#   docker build -f deploy/docker/gateway.Dockerfile -t sideman-gateway .
# Pin the base images by digest in your own registry; everything above them is locked with hashes.

# What the page plans with while no service answers: the default model, exported by our own code.
FROM python:3.11-slim-bookworm AS planner
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
COPY . .
RUN deploy/docker/install.sh cpu /opt/sideman && /opt/sideman/bin/python -m sideman.export_web --to /planner

FROM node:22-bookworm-slim AS page
WORKDIR /src/clients
COPY clients/ ./
COPY --from=planner /planner/ web/public/planner/
RUN npm ci --ignore-scripts --no-audit --no-fund && npm run build

FROM python:3.11-slim-bookworm AS install
ENV SOURCE_DATE_EPOCH=1760000000 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
COPY . .
COPY --from=page /src/sideman/page/ sideman/page/
RUN deploy/docker/install.sh gateway /opt/sideman

FROM python:3.11-slim-bookworm
ENV PATH=/opt/sideman/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SIDEMAN_HOST=0.0.0.0 SIDEMAN_METRICS_HOST=0.0.0.0 SIDEMAN_WORKERS=/run/sideman/worker.sock SIDEMAN_LOG_FORMAT=json \
    SIDEMAN_PAGE=/opt/sideman/lib/python3.11/site-packages/sideman/page
COPY --from=install /opt/sideman /opt/sideman
RUN install -d -o 10001 -g 10001 -m 0700 /run/sideman
# The root may be read-only: the gateway writes nothing. The worker's socket comes in with a volume.
VOLUME /run/sideman
USER 10001:10001
EXPOSE 8765 9765
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9765/healthz', timeout=2)"]
# `moving` reaches the players, then 1012: give it 30 s (docker stop -t 30).
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "gateway"]
