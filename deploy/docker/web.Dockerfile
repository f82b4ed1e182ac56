# The page from a web server of its own, with the players' WebSocket behind it, for installs in which the gateway is not to serve files.
# Build from the repository's root:
#   docker build -f deploy/docker/web.Dockerfile -t sideman-web .
# Pin the base images by digest in your own registry; npm's packages are locked with hashes.

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

FROM nginxinc/nginx-unprivileged:1.29-alpine-slim
COPY deploy/docker/web.conf.template /etc/nginx/templates/default.conf.template
COPY --from=page /src/sideman/page/ /usr/share/nginx/html/
# Where the gateway is; filled in when the container starts. With a read-only root, mount a tmpfs at /tmp and at /etc/nginx/conf.d.
ENV GATEWAY=gateway:8765
USER 101:101
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"]
