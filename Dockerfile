# syntax=docker/dockerfile:1
# Pin the digest of the base image to what you have scanned: docker build --build-arg NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY guard/package.json guard/
# The lock names every package with its digest; nothing else is downloaded, here or later.
RUN npm ci --no-audit --no-fund
COPY . .
RUN node prisma/generate.ts && node --import ./scripts/prepare.mjs server/build-console.ts \
  # Pruning writes the lock anew, and the console belongs to the one it was built with: it would be built again at the start.
  && cp package-lock.json /tmp/lock && npm prune --omit=dev --no-audit --no-fund && cp /tmp/lock package-lock.json \
  && rm -rf .next/cache && mkdir .next/cache

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NEXT_TELEMETRY_DISABLED=1 COUNTERSIGN_DATA=/data
# Owned by root and not writable by whom it runs as: what is in the image stays what was built.
COPY --from=build /app /app
RUN install -d -o node -g node -m 711 /data
WORKDIR /app
USER node
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--disable-warning=DeprecationWarning", "--import", "./scripts/prepare.mjs"]
CMD ["server.ts"]
