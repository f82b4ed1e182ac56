# A worker, with the shipped models. Build from the repository's root, for one kind of device:
#   docker build -f deploy/docker/worker.Dockerfile --build-arg DEVICE=cpu -t sideman-worker-cpu .    (or tpu, cuda)
# Pin the base images by digest in your own registry; everything above them is locked with hashes. CUDA comes from PyPI's packages, so that
# only the driver has to be on the host (container toolkit: --gpus all); TPU's libtpu likewise.

FROM python:3.11-slim-bookworm AS install
ARG DEVICE=cpu
ENV SOURCE_DATE_EPOCH=1760000000 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
COPY . .
RUN deploy/docker/install.sh "$DEVICE" /opt/sideman \
    && ln -s lib/python3.11/site-packages/inference/weights /opt/sideman/weights

FROM python:3.11-slim-bookworm
ENV PATH=/opt/sideman/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SIDEMAN_LOG_FORMAT=json
COPY --from=install /opt/sideman /opt/sideman
RUN install -d -o 10001 -g 10001 -m 0700 /run/sideman /var/cache/sideman
# The root may be read-only: the socket is in one volume, compiled programs are in the other (keep that one: the next start takes seconds).
VOLUME /run/sideman /var/cache/sideman
USER 10001:10001
EXPOSE 9766
# The port opens once every shape is compiled and the golden plan came out.
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9766/metrics', timeout=2)"]
# It says that it leaves, and answers what it has: 10 s at most (docker stop -t 20).
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "inference", "--socket", "/run/sideman/worker.sock", "--cache", "/var/cache/sideman", "--metrics-host", "0.0.0.0", "--metrics-port", "9766"]
CMD ["--checkpoint", "/opt/sideman/weights/rl-m-small", \
     "--checkpoint", "/opt/sideman/weights/rl-s-small", \
     "--checkpoint", "/opt/sideman/weights/online-small", \
     "--checkpoint", "/opt/sideman/weights/offline-small"]
