#!/bin/sh
# What an image runs, into a virtual environment: install.sh gateway|cpu|tpu|cuda FOLDER, from the repository's root, with uv on the path.
# Everything is as locked in uv.lock, hashes checked, the build of our own wheel included. The images run this; so may anybody else.
set -eu
what="$1"
folder="$2"
case "$what" in
    gateway) chosen="--only-group gateway" ;; # no JAX, no NumPy
    cpu) chosen="--no-dev" ;;
    tpu | cuda) chosen="--no-dev --group $what" ;;
    *)
        echo "install.sh: expected gateway, cpu, tpu or cuda, got $what; choose one of them" >&2
        exit 2
        ;;
esac
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # several words on purpose
uv export --quiet --frozen --no-emit-project $chosen --output-file "$work/requirements.txt" >/dev/null
uv export --quiet --frozen --only-group build --output-file "$work/build.txt" >/dev/null
uv build --quiet --wheel --build-constraints "$work/build.txt" --require-hashes --out-dir "$work/dist"
if [ "${DRY_RUN:-}" = 1 ]; then # says what would be installed, for accelerators whose packages are gigabytes
    uv venv --quiet "$folder"
    uv pip install --dry-run --python "$folder/bin/python" --require-hashes --requirements "$work/requirements.txt"
    exit
fi
uv venv --quiet "$folder"
uv pip sync --quiet --python "$folder/bin/python" --require-hashes "$work/requirements.txt"
uv pip install --quiet --python "$folder/bin/python" --no-deps "$work"/dist/*.whl
