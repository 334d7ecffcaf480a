# Satunomor's images, for docker-compose.yml and for the tests: `parts` (Asterisk, Redis, PostgreSQL, the tools that
# speak) and `service` (the same, and ours). Nothing of a machine is in them: plan, passwords and records come by volumes.

# Debian's stable releases have no Asterisk; forky has. A base that holds the packages already is taken as it is.
ARG BASE=debian:forky-slim
ARG NODE=node:24-trixie-slim

FROM $BASE AS parts
# The list of setup/root.mjs, without what only the load tests use.
ARG PACKAGES="asterisk asterisk-modules ca-certificates redis-server espeak-ng sox postgresql"
RUN set -eu; missing=""; \
    for package in $PACKAGES; do \
      dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"; \
    done; \
    if [ -n "$missing" ]; then \
      export DEBIAN_FRONTEND=noninteractive; \
      apt-get update; \
      apt-get install --yes --no-install-recommends $missing; \
      rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb; \
    fi; \
    mkdir -p /usr/share/asterisk/sounds; \
    asterisk -V
COPY setup/docker-alive.sh /usr/local/bin/alive

FROM $NODE AS packages
WORKDIR /srv/satunomor
COPY package.json package-lock.json .npmrc ./
# The packages, and with them (the npm package `node-linux-…`) the Node 24 that the service runs on.
RUN npm ci --omit=dev --no-audit --no-fund && node_modules/.bin/node --version | grep '^v24\.'

FROM parts AS service
# Ours: it reads Asterisk's ledger, so it is of Asterisk's group.
RUN useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --groups asterisk satunomor
WORKDIR /srv/satunomor
# As setup/packages.mjs has it (nodeEnv, and below its flags).
ENV NODE_COMPILE_CACHE=/srv/satunomor/.compile-cache MALLOC_ARENA_MAX=1 \
  NODE_OPTIONS="--disable-warning=ExperimentalWarning --max-semi-space-size=2 --v8-pool-size=1"
ENV NODE_ENV=production PATH=/srv/satunomor/node_modules/.bin:$PATH SATUNOMOR_STATE=/var/lib/satunomor
COPY --from=packages /srv/satunomor/node_modules node_modules
COPY package.json package-lock.json ./
COPY setup setup
COPY src src
COPY demo demo
COPY asterisk-config asterisk-config
COPY dialplan dialplan
RUN install -d -o satunomor -g satunomor .compile-cache && node setup/bundle.mjs
USER satunomor
# What is compiled now need not be at a start. (The thread's file complains of being no thread; it is compiled all the same.)
RUN for file in main watchdog records/sqlite-thread; do node --heap-growing-percent=20 --expose-gc --import ./setup/bundled.mjs --eval "import('./src/$file.ts').catch(() => {}).finally(() => process.exit())"; done
# Healthy means that a call made now would be served. Only who does not even say that it lives is killed and started again.
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s CMD alive 3 node setup/docker-health.mjs /healthz && node setup/docker-health.mjs /readyz
CMD ["node", "--heap-growing-percent=20", "--expose-gc", "--import", "./setup/bundled.mjs", "src/main.ts"]
