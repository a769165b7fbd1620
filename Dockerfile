# The image that jobs run in: ciforge, git, node for Nx, Docker's client with buildx and Compose,
# Helm and kubectl. Build it once, push it to your registry, and name it in the include.
FROM docker:29-cli AS docker
FROM alpine/helm:4.2.4 AS helm
FROM registry.k8s.io/kubectl:v1.36.3 AS kubectl

FROM node:22-bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && corepack enable
COPY --from=docker /usr/local/bin/docker /usr/local/bin/
COPY --from=docker /usr/local/libexec/docker/cli-plugins /usr/local/libexec/docker/cli-plugins
COPY --from=helm /usr/bin/helm /usr/local/bin/
COPY --from=kubectl /bin/kubectl /usr/local/bin/
WORKDIR /opt/ciforge
COPY requirements/run.txt requirements/
RUN python3 -m venv . && bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY ciforge ciforge
RUN bin/pip install --no-cache-dir --no-deps . && ln -s /opt/ciforge/bin/ciforge /usr/local/bin/
WORKDIR /
