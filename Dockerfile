# One image for every process of a cluster: operator, autoscaler, gateway with its Envoy, engine agent, and what brings weights.
# It runs as any user, reads only from its root file system, and writes only to the volumes that the chart mounts.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE ./
COPY operator ./operator
COPY autoscaler ./autoscaler
# The packs of rules: the package holds a link to this folder.
COPY policies ./policies
RUN python -m venv /opt/pointsman \
    && /opt/pointsman/bin/pip install --no-cache-dir --disable-pip-version-check "hatchling>=1.27" \
    && /opt/pointsman/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation \
        --constraint constraints.txt ".[cluster,weights,autoscaler]" \
    && /opt/pointsman/bin/pip uninstall --yes hatchling pip

FROM python:3.11-slim-bookworm
COPY --from=build /opt/pointsman /opt/pointsman
ENV PATH=/opt/pointsman/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
ENTRYPOINT ["pointsman"]
